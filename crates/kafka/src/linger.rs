//! The linger: the time for which the producer collects votes before it sends a request.

/// Default of `--linger-ms`. The linger adds to the latency of every vote: up to 1 ms while no other vote arrives, because
/// the client library waits in whole milliseconds. Without it, a request carries only one or two votes, and the broker's
/// cost per request limits the rate. A short linger suffices because votes go to one partition at a time (see
/// `KafkaSink::partition`): with 64 votes in flight, 0.1 ms acknowledged more votes than 0, 0.05 or 0.2 ms, and about as
/// many as 0.15 ms (docs/benchmark.md).
pub(crate) const DEFAULT_MS: f64 = 0.1;
const MAX_MS: f64 = 1_000.0;

/// Parses the value of `--linger-ms`.
pub(crate) fn parse_ms(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(linger) if (0.0..=MAX_MS).contains(&linger) => Ok(linger),
        _ => Err(format!("expected a number from 0 to {MAX_MS}")),
    }
}
