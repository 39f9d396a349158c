//! Quantiles of samples.

use std::time::Duration;

/// Durations in ms, ascending, as [`nearest_rank`] wants them.
pub fn ascending_ms(durations: impl IntoIterator<Item = Duration>) -> Vec<f64> {
    let mut values: Vec<f64> = durations
        .into_iter()
        .map(|duration| duration.as_secs_f64() * 1e3)
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that a share `quantile` (0 to 1) of `ascending` does not exceed, by nearest rank; None of nothing.
pub fn nearest_rank(ascending: &[f64], quantile: f64) -> Option<f64> {
    let rank = (quantile * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.max(1) - 1).copied()
}

/// The arithmetic mean; None of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean; None of fewer than two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let freedom = values.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / freedom as f64 / values.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_occurred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        for (quantile, expected) in [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert_eq!(nearest_rank(&values, quantile), Some(expected));
        }
        assert_eq!(nearest_rank(&[], 0.5), None);
    }

    #[test]
    fn the_standard_error_is_that_of_the_textbook() {
        // Sample variance of 2, 4, 4, 4, 5, 5, 7, 9 is 32/7.
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let expected = (32.0_f64 / 7.0 / 8.0).sqrt();
        assert!((standard_error(&values).unwrap() - expected).abs() < 1e-12);
        assert_eq!(standard_error(&[1.0]), None);
        assert_eq!(mean(&[]), None);
    }
}
