//! The standard normal distribution.

/// The probability of a value above `z`.
pub fn upper_tail(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// The value that is exceeded with `probability` (0 to 1, both exclusive).
pub fn upper_quantile(probability: f64) -> f64 {
    // Doubles cannot represent the tail beyond 38.
    let (mut low, mut high) = (-38.0, 38.0);
    while high - low > 1e-9 {
        let middle = f64::midpoint(low, high);
        if upper_tail(middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
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
        ] {
            assert!((upper_quantile(probability) - z).abs() < 1e-5);
            assert!((upper_tail(z) - probability).abs() < 1e-6);
        }
    }
}
