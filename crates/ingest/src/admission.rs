//! Admission: a limit on the votes in flight. A vote beyond the limit is rejected at once. A queue would turn overload
//! into latency and hide it from the client that should slow down.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{IngestError, ServerLimit};

/// The votes in flight on one route, and their limit.
#[derive(Debug)]
pub struct Admission {
    max_in_flight: u32,
    in_flight: AtomicU32,
}

/// The admission of some votes. They are in flight until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Admitted<'a> {
    admission: &'a Admission,
    votes: u32,
}

impl Admission {
    /// Admits at most `max_in_flight` votes at a time.
    pub fn new(max_in_flight: u32) -> Self {
        Self {
            max_in_flight,
            in_flight: AtomicU32::new(0),
        }
    }

    /// The limit.
    pub fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }

    /// Admits `votes` votes, all or none. More votes than the limit are not an overload: they would never be admitted.
    pub fn admit(&self, votes: usize) -> Result<Admitted<'_>, IngestError> {
        let votes = u32::try_from(votes).unwrap_or(u32::MAX);
        if votes > self.max_in_flight {
            let limit = ServerLimit::VotesInFlight(self.max_in_flight);
            return Err(IngestError::AboveServerLimit(limit));
        }
        let add = |in_flight: u32| {
            in_flight
                .checked_add(votes)
                .filter(|&sum| sum <= self.max_in_flight)
        };
        self.in_flight
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|_| IngestError::Overloaded)?;
        Ok(Admitted {
            admission: self,
            votes,
        })
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.admission.in_flight.fetch_sub(self.votes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_share_the_limit_until_they_are_answered() {
        let admission = Admission::new(3);
        let two = admission.admit(2).unwrap();
        assert_eq!(admission.admit(2).unwrap_err(), IngestError::Overloaded);
        let one = admission.admit(1).unwrap();
        assert_eq!(admission.admit(1).unwrap_err(), IngestError::Overloaded);
        drop(two);
        assert_eq!(admission.admit(3).unwrap_err(), IngestError::Overloaded);
        let _two = admission.admit(2).unwrap();
        drop(one);
        assert!(admission.admit(1).is_ok());
    }

    #[test]
    fn more_votes_than_the_limit_are_not_an_overload() {
        let limit = IngestError::AboveServerLimit(ServerLimit::VotesInFlight(3));
        assert_eq!(Admission::new(3).admit(4).unwrap_err(), limit);
        assert_eq!(Admission::new(3).admit(usize::MAX).unwrap_err(), limit);
    }
}
