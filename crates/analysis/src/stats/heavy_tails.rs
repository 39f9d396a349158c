//! Random latencies with heavy tails, for the tests of the statistics.

/// A latency with a heavy tail: log-normal, and one of 50 is ten times larger.
pub fn skewed(random: &mut fastrand::Rng) -> f64 {
    // Approximately normal, by the sum of uniform numbers.
    let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let slow = if random.u8(..50) == 0 { 10.0 } else { 1.0 };
    (0.5 * normal).exp() * slow
}
