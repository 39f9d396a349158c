//! A counter whose label values come from clients. A series stays in the process and in Prometheus permanently, so only a
//! limited number of values get their own series; see docs/adr/0016.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, Registry};
use service::metrics::counter;

/// The maximum number of label values with their own series: enough for the bands of one contest, and few enough for
/// any Prometheus.
const MAX_SERIES: usize = 100;
/// The label value that sums up all further values. A band with this name would be counted here too.
const OTHER: &str = "(other)";

/// A counter for each of the first label values, and one for all others.
#[derive(Clone, Debug)]
pub(crate) struct BoundedLabelCounter {
    counters: IntCounterVec,
    known: Arc<Mutex<HashMap<String, IntCounter>>>,
    other: IntCounter,
}

impl BoundedLabelCounter {
    /// Registers `metric` with the single label `label`.
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

    /// Adds `votes` to the series of the label value, or to the shared series.
    pub(crate) fn add(&self, value: &str, votes: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(value) {
            counter.inc_by(votes);
        } else if known.len() < MAX_SERIES {
            let counter = self.counters.with_label_values(&[value]);
            counter.inc_by(votes);
            known.insert(value.to_owned(), counter);
        } else {
            self.other.inc_by(votes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_values_have_a_series_each_and_the_others_share_one() {
        let registry = Registry::new();
        let bands = BoundedLabelCounter::new(&registry, "votes", "Votes", "band").unwrap();
        for round in 0..2 {
            for name in 0..MAX_SERIES + 7 {
                bands.add(&format!("band {name}"), 1 + round);
            }
        }
        let series: usize = registry
            .gather()
            .iter()
            .map(|family| family.get_metric().len())
            .sum();
        assert_eq!(series, MAX_SERIES + 1);
        let votes = |name: &str| bands.counters.with_label_values(&[name]).get();
        assert_eq!(votes("band 0"), 3);
        assert_eq!(votes(&format!("band {}", MAX_SERIES - 1)), 3);
        assert_eq!(votes(OTHER), 7 * 3);
    }
}
