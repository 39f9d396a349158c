//! The shift between two independent samples by the Wilcoxon rank-sum test, and its Hodges-Lehmann estimate: the median of
//! all differences.
//!
//! Source: Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3rd edition, sections 4.1 to 4.3.

use super::interval::Interval;
use super::normal::upper_quantile;

/// Fewer values cannot support an interval.
const MIN_VALUES: usize = 4;

/// The shift from `a` to `b` with an interval of `confidence` (0 to 1); `None` for fewer than four values in one of them.
pub fn shift_interval(a: &[f64], b: &[f64], confidence: f64) -> Option<Interval> {
    if a.len().min(b.len()) < MIN_VALUES {
        return None;
    }
    let mut differences: Vec<f64> = b
        .iter()
        .flat_map(|later| a.iter().map(move |earlier| later - earlier))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let (count_a, count_b) = (a.len() as f64, b.len() as f64);
    let deviation = (count_a * count_b * (count_a + count_b + 1.0) / 12.0).sqrt();
    let z = upper_quantile((1.0 - confidence) / 2.0);
    Some(Interval::around_median(&differences, z * deviation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::heavy_tails::skewed;

    #[test]
    fn interval_contains_the_true_shift_at_the_nominal_rate() {
        let mut random = fastrand::Rng::with_seed(2);
        let (mut inside, experiments) = (0, 400);
        for _ in 0..experiments {
            let a: Vec<f64> = (0..12).map(|_| skewed(&mut random)).collect();
            let b: Vec<f64> = (0..20).map(|_| 2.0 + skewed(&mut random)).collect();
            let interval = shift_interval(&a, &b, 0.95).unwrap();
            inside += u64::from(interval.low <= 2.0 && 2.0 <= interval.high);
        }
        let share = inside as f64 / f64::from(experiments);
        assert!((0.92..=0.99).contains(&share), "{share}");
        assert_eq!(shift_interval(&[1.0; 3], &[2.0; 9], 0.95), None);
    }
}
