//! The stage times of one request, if the client requests them.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Stage;

/// Time spent in each stage of one request, in nanoseconds. Atomic because the futures of a request share its timer.
#[derive(Debug, Default)]
pub(crate) struct StageTimings([AtomicU64; Stage::ALL.len()]);

impl StageTimings {
    /// Adds to a stage.
    pub(crate) fn add(&self, stage: Stage, took: Duration) {
        if let Some(sum) = self.0.get(stage as usize) {
            sum.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// The value of a `Server-Timing` header (W3C): every stage in order, 0 for a stage that was not reached, then the
    /// total; in ms. Exact to the nanosecond, so the sum of the stages never exceeds the total.
    pub(crate) fn header(&self, total: Duration) -> String {
        let mut header = String::with_capacity(128);
        for (stage, sum) in Stage::ALL.iter().zip(&self.0) {
            write_metric(&mut header, stage.as_str(), sum.load(Ordering::Relaxed));
            header.push_str(", ");
        }
        write_metric(&mut header, "total", total.as_nanos() as u64);
        header
    }
}

fn write_metric(header: &mut String, name: &str, nanoseconds: u64) {
    const NANOSECONDS_PER_MS: u64 = 1_000_000;
    let (whole, rest) = (nanoseconds / NANOSECONDS_PER_MS, nanoseconds % NANOSECONDS_PER_MS);
    // Writing into a string cannot fail.
    let _ = write!(header, "{name};dur={whole}.{rest:06}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lists_stages_in_order_and_in_milliseconds() {
        let timings = StageTimings::default();
        timings.add(Stage::Publish, Duration::from_micros(1_500));
        timings.add(Stage::Decode, Duration::from_nanos(4_007));
        assert_eq!(
            timings.header(Duration::from_nanos(12_000_001)),
            "decode;dur=0.004007, validate;dur=0.000000, encode;dur=0.000000, publish;dur=1.500000, \
             reply;dur=0.000000, total;dur=12.000001"
        );
    }
}
