//! One of those who may vote.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// One of those who may vote, and its limits.
#[derive(Debug)]
pub struct Identity {
    name: String,
    may_forward: bool,
    rate: Option<Rate>,
}

#[derive(Debug)]
struct Rate {
    votes_per_second: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
}

/// Why votes exceed the rate of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AboveRate {
    /// They are allowed after this time.
    Now(Duration),
    /// These are more votes at a time than the identity may send in a second.
    Always(u32),
}

impl Identity {
    /// An identity that may send this number of votes per second, all of them at once if it sent none in the second before.
    pub fn new(name: String, may_forward: bool, votes_per_second: Option<NonZeroU32>) -> Self {
        let rate = votes_per_second.map(|votes_per_second| Rate {
            votes_per_second,
            limiter: RateLimiter::direct(Quota::per_second(votes_per_second)),
        });
        Self {
            name,
            may_forward,
            rate,
        }
    }

    /// The name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may send votes that it has accepted from others, as the bridge does.
    pub fn may_forward(&self) -> bool {
        self.may_forward
    }

    /// Counts `votes` votes against the rate, all or none.
    pub fn spend(&self, votes: usize) -> Result<(), AboveRate> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        let Some(votes) = NonZeroU32::new(u32::try_from(votes).unwrap_or(u32::MAX)) else {
            return Ok(());
        };
        match rate.limiter.check_n(votes) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(rejected)) => Err(AboveRate::Now(
                rejected.wait_time_from(DefaultClock::default().now()),
            )),
            Err(_) => Err(AboveRate::Always(rate.votes_per_second.get())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_may_send_the_votes_of_a_second_at_once() {
        let identity = Identity::new("a".to_owned(), false, NonZeroU32::new(10));
        assert_eq!(identity.spend(11), Err(AboveRate::Always(10)));
        assert_eq!(identity.spend(0), Ok(()));
        assert_eq!(identity.spend(10), Ok(()));
        let Err(AboveRate::Now(wait)) = identity.spend(10) else {
            panic!("ten more votes were allowed at once");
        };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        let unlimited = Identity::new("b".to_owned(), false, None);
        assert_eq!(unlimited.spend(usize::MAX), Ok(()));
    }
}
