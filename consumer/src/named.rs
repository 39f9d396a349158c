//! Counters by names that clients choose. A series stays in the process and in Prometheus for good, so only the first
//! names get one; see docs/adr/0016.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, Registry};
use service::metrics::counter;

/// Names with a series of their own: more than a class votes for, and few enough for any Prometheus.
const MOST: usize = 100;
/// All names after those. A band of this name would be counted with them.
const OTHER: &str = "(other)";

/// A counter for each of the first names, and one for all others.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    counters: IntCounterVec,
    known: Arc<Mutex<HashMap<String, IntCounter>>>,
    other: IntCounter,
}

impl Named {
    /// Registers `metric`, whose one label is `label`.
    pub(crate) fn new(
        registry: &Registry,
        metric: &str,
        help: &str,
        label: &str,
    ) -> prometheus::Result<Self> {
        let counters = counter(registry, metric, help, &[label])?;
        let other = counters.with_label_values(&[OTHER]);
        Ok(Self {
            counters,
            known: Arc::default(),
            other,
        })
    }

    /// Adds votes for a name.
    pub(crate) fn add(&self, name: &str, votes: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(name) {
            counter.inc_by(votes);
        } else if known.len() < MOST {
            let counter = self.counters.with_label_values(&[name]);
            counter.inc_by(votes);
            known.insert(name.to_owned(), counter);
        } else {
            self.other.inc_by(votes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_have_a_series_each_and_the_others_share_one() {
        let registry = Registry::new();
        let bands = Named::new(&registry, "votes", "Votes", "band").unwrap();
        for round in 0..2 {
            for name in 0..MOST + 7 {
                bands.add(&format!("band {name}"), 1 + round);
            }
        }
        let series: usize = registry
            .gather()
            .iter()
            .map(|family| family.get_metric().len())
            .sum();
        assert_eq!(series, MOST + 1);
        let votes = |name: &str| bands.counters.with_label_values(&[name]).get();
        assert_eq!(votes("band 0"), 3);
        assert_eq!(votes(&format!("band {}", MOST - 1)), 3);
        assert_eq!(votes(OTHER), 7 * 3);
    }
}
