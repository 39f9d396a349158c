//! Quantiles of samples by nearest rank. Such a quantile is always a value that occurred; nothing is interpolated.

use std::time::Duration;

/// Returns `durations` in ms, sorted in ascending order, as [`nearest_rank`] requires.
pub fn ascending_ms(durations: impl IntoIterator<Item = Duration>) -> Vec<f64> {
    let mut values: Vec<f64> = durations
        .into_iter()
        .map(|duration| duration.as_secs_f64() * 1e3)
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Returns the smallest value in `ascending` such that at least the share `quantile` (0 to 1) of the values is less than or
/// equal to it.
///
/// `ascending` must be sorted in ascending order. The result is in the unit of the values. Returns `None` if `ascending`
/// is empty. A quantile of 0 gives the smallest value, a quantile of 1 the largest.
pub fn nearest_rank(ascending: &[f64], quantile: f64) -> Option<f64> {
    let rank = (quantile * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_is_a_value_that_occurred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        for (quantile, expected) in [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert_eq!(nearest_rank(&values, quantile), Some(expected));
        }
    }

    #[test]
    fn quantile_of_one_value_is_that_value() {
        assert_eq!(nearest_rank(&[7.0], 0.5), Some(7.0));
    }

    #[test]
    fn durations_are_sorted_and_in_ms() {
        let durations = [3, 1, 2].map(Duration::from_millis);
        assert_eq!(ascending_ms(durations), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn empty_input_has_no_quantile() {
        assert_eq!(nearest_rank(&[], 0.5), None);
    }
}
