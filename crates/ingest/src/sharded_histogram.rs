//! A histogram for the threads of a service.
//!
//! An observation changes four counters of a `prometheus::Histogram`. If two threads observe at the same time, each change waits
//! until the core of the other thread gives up the counter. A vote makes six observations. So here each thread has its own
//! histogram, and a scrape adds them.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily};
use prometheus::{Histogram, HistogramOpts, HistogramVec};

/// The number of histograms that a scrape adds. Further threads share them.
const SHARDS: usize = 8;

/// The histograms of one metric, by the values of its labels.
#[derive(Clone, Debug)]
pub(crate) struct ShardedHistogramVec([HistogramVec; SHARDS]);

/// A histogram with one shard for each thread.
#[derive(Clone, Debug)]
pub(crate) struct ShardedHistogram([Histogram; SHARDS]);

impl ShardedHistogramVec {
    pub(crate) fn new(options: &HistogramOpts, labels: &[&str]) -> prometheus::Result<Self> {
        let shards = (0..SHARDS).map(|_| HistogramVec::new(options.clone(), labels));
        let shards = shards.collect::<prometheus::Result<Vec<_>>>()?;
        <[HistogramVec; SHARDS]>::try_from(shards)
            .map(Self)
            .map_err(|shards| prometheus::Error::Msg(format!("{} shards", shards.len())))
    }

    /// The histogram with these values of the labels.
    pub(crate) fn with_label_values(&self, values: &[&str]) -> ShardedHistogram {
        ShardedHistogram(self.0.each_ref().map(|shard| shard.with_label_values(values)))
    }
}

impl ShardedHistogram {
    /// Adds an observation.
    pub(crate) fn observe(&self, value: f64) {
        if let Some(shard) = self.0.get(shard_of_thread()) {
            shard.observe(value);
        }
    }
}

impl Collector for ShardedHistogramVec {
    fn desc(&self) -> Vec<&Desc> {
        let [first, ..] = &self.0;
        first.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shards = self.0.iter().map(|shard| sorted(shard.collect()));
        let sum = shards.reduce(|mut sum, shard| {
            for (sum, metric) in metrics_mut(&mut sum).zip(shard.iter().flat_map(MetricFamily::get_metric)) {
                sum.set_histogram(add(sum.get_histogram(), metric.get_histogram()));
            }
            sum
        });
        sum.unwrap_or_default()
    }
}

/// The shard of the calling thread, below [`SHARDS`].
fn shard_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.get()
}

/// Sorts the metrics by their labels. All shards have the same ones.
fn sorted(mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
    for family in &mut families {
        let metrics = family.mut_metric();
        metrics.sort_by(|one, other| label_values(one).cmp(label_values(other)));
    }
    families
}

fn label_values(metric: &proto::Metric) -> impl Iterator<Item = &str> {
    metric.get_label().iter().map(proto::LabelPair::value)
}

fn metrics_mut(families: &mut [MetricFamily]) -> impl Iterator<Item = &mut proto::Metric> {
    families.iter_mut().flat_map(MetricFamily::mut_metric)
}

fn add(one: &proto::Histogram, other: &proto::Histogram) -> proto::Histogram {
    let buckets = one.get_bucket().iter().zip(other.get_bucket());
    let buckets = buckets.map(|(one, other)| {
        let mut bucket = one.clone();
        bucket.set_cumulative_count(one.cumulative_count() + other.cumulative_count());
        bucket
    });
    let mut sum = proto::Histogram::default();
    sum.set_bucket(buckets.collect());
    sum.set_sample_count(one.get_sample_count() + other.get_sample_count());
    sum.set_sample_sum(one.get_sample_sum() + other.get_sample_sum());
    sum
}

#[cfg(test)]
mod tests {
    use prometheus::{Registry, TextEncoder};

    use super::*;

    const THREADS: u32 = 20;
    const OBSERVATIONS: u32 = 1_000;

    #[test]
    fn scrape_shows_the_observations_of_all_threads() {
        let options = HistogramOpts::new("seconds", "Time").buckets(vec![0.5, 1.5]);
        let sharded = ShardedHistogramVec::new(&options, &["route", "stage"]).unwrap();
        let expected = HistogramVec::new(options, &["route", "stage"]).unwrap();
        let stages = ["encode", "decode", "reply"];
        let observe = |stage: usize, thread: u32, observe: &dyn Fn(f64)| {
            for number in 0..OBSERVATIONS {
                observe(f64::from(number % 3) * (stage + 1) as f64 + f64::from(thread));
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let histograms = stages.map(|stage| sharded.with_label_values(&["rest", stage]));
                scope.spawn(move || {
                    for (stage, histogram) in histograms.iter().enumerate() {
                        observe(stage, thread, &|value| histogram.observe(value));
                    }
                });
                for (stage, name) in stages.iter().enumerate() {
                    let histogram = expected.with_label_values(&["rest", name]);
                    observe(stage, thread, &|value| histogram.observe(value));
                }
            }
        });
        assert_eq!(text(sharded), text(expected));
    }

    fn text(collector: impl Collector + 'static) -> String {
        let registry = Registry::new();
        registry.register(Box::new(collector)).unwrap();
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }
}
