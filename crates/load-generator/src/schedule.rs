//! Intended send times. They are fixed before the first vote and do not depend on answers. A client that waits for
//! answers sends fewer votes to a slow server, and so omits the high latencies that it should measure
//! ("coordinated omission").

use std::time::Duration;

use experiment_model::protocol::Arrival;

/// The intended send times of a block, as ascending offsets from its start: `rate` votes a second for `length`. The same
/// `seed` gives the same times.
pub fn send_times(arrival: Arrival, rate: f64, length: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut gap = || match arrival {
        Arrival::Uniform => 1.0 / rate,
        // 1 - u is never 0, so the logarithm is finite.
        Arrival::Poisson => -(1.0 - random.f64()).ln() / rate,
    };
    let mut times = Vec::with_capacity((rate * length.as_secs_f64()) as usize + 1);
    let mut at = 0.0;
    loop {
        at += gap();
        if at >= length.as_secs_f64() {
            return times;
        }
        times.push(Duration::from_secs_f64(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    #[test]
    fn uniform_gaps_are_equal() {
        let times = send_times(Arrival::Uniform, 4.0, Duration::from_secs(1), 1);
        assert_eq!(times, [250, 500, 750].map(Duration::from_millis));
    }

    #[test]
    fn poisson_arrivals_have_the_expected_rate_and_spread() {
        let rate = 1_000.0;
        let times = send_times(Arrival::Poisson, rate, LENGTH, 1);
        // Mean and variance of the count are equal; the tolerance is five standard deviations.
        let expected = rate * LENGTH.as_secs_f64();
        assert!(
            (times.len() as f64 - expected).abs() < 5.0 * expected.sqrt(),
            "{}",
            times.len()
        );
        let gaps: Vec<f64> = times
            .windows(2)
            .map(|pair| pair[1].as_secs_f64() - pair[0].as_secs_f64())
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The standard deviation of an exponential distribution equals its mean.
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.1,
            "{}",
            variance.sqrt() / mean
        );
        assert_eq!(times, send_times(Arrival::Poisson, rate, LENGTH, 1));
        assert_ne!(times, send_times(Arrival::Poisson, rate, LENGTH, 2));
    }
}
