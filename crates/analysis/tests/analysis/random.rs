//! Random numbers for the tests of the promises.

/// Approximately standard normal, by the sum of uniform numbers.
pub(crate) fn normal(random: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}
