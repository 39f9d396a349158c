//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// The probability of a value above `z`.
pub fn upper_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// The value that is exceeded with `probability` (0 to 1).
pub fn upper_quantile(probability: f64) -> f64 {
    -Normal::standard().inverse_cdf(probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_a_table() {
        for (probability, z) in [
            (0.5, 0.0),
            (0.025, 1.959_964),
            (0.0125, 2.241_403),
            (1e-6, 4.753_424),
            (1e-15, 7.941_345),
        ] {
            assert!((upper_quantile(probability) - z).abs() < 1e-5);
            assert!((upper_tail(z) / probability - 1.0).abs() < 1e-4);
        }
    }
}
