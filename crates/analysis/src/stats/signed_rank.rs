//! The location of a sample by the Wilcoxon signed-rank test, and its Hodges-Lehmann estimate: the median of the means of
//! all pairs of values. A few extreme values move it little, however large they are.
//!
//! Source: Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3rd edition, sections 3.1 to 3.3.

use super::interval::Interval;

/// The means of all pairs of values (Walsh averages), each value paired with itself too.
#[derive(Clone, Debug)]
pub struct PairMeans {
    ascending: Vec<f64>,
    /// Standard deviation of the number of pair means above the true location.
    deviation: f64,
}

impl PairMeans {
    /// The pair means of `values`; `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut ascending = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
        for (index, first) in values.iter().enumerate() {
            ascending.extend(
                values
                    .iter()
                    .skip(index)
                    .map(|second| f64::midpoint(*first, *second)),
            );
        }
        ascending.sort_unstable_by(f64::total_cmp);
        let count = values.len() as f64;
        let deviation = (count * (count + 1.0) * (2.0 * count + 1.0) / 24.0).sqrt();
        (!ascending.is_empty()).then_some(Self { ascending, deviation })
    }

    /// The Hodges-Lehmann estimate of the location.
    pub fn estimate(&self) -> f64 {
        Interval::around_median(&self.ascending, 0.0).estimate
    }

    /// How strongly the values show that the location is above `bound`: the test's statistic in standard deviations, with
    /// continuity correction.
    pub fn z_above(&self, bound: f64) -> f64 {
        let above = self.ascending.len() - self.ascending.partition_point(|mean| *mean <= bound);
        self.z(above)
    }

    /// How strongly the values show that the location is below `bound`.
    pub fn z_below(&self, bound: f64) -> f64 {
        self.z(self.ascending.partition_point(|mean| *mean < bound))
    }

    fn z(&self, on_this_side: usize) -> f64 {
        (on_this_side as f64 - self.ascending.len() as f64 / 2.0 - 0.5) / self.deviation
    }

    /// The locations that neither test rejects at the critical value `z`. If there are too few values for this `z`, the
    /// range of all values.
    pub fn interval(&self, z: f64) -> Interval {
        Interval::around_median(&self.ascending, z * self.deviation)
    }

    /// The largest critical value for which [`Self::interval`] is a confidence interval.
    pub fn largest_z(&self) -> f64 {
        (self.ascending.len() as f64 / 2.0 - 0.5) / self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_and_interval_match_a_worked_example() {
        // Pair means of 1, 2, 4, 9: 1, 1.5, 2, 2.5, 3, 4, 5, 5.5, 6.5, 9.
        let means = PairMeans::of(&[4.0, 9.0, 1.0, 2.0]).unwrap();
        let interval = means.interval(0.0);
        assert_eq!((interval.estimate, interval.low, interval.high), (3.5, 3.0, 4.0));
        let all = means.interval(9.0);
        assert_eq!((all.low, all.high), (1.0, 9.0));
        assert!(means.largest_z() < 9.0);
        assert!(PairMeans::of(&[]).is_none());
    }

    #[test]
    fn interval_excludes_exactly_what_the_test_rejects() {
        let values: Vec<f64> = (0..40).map(|index| f64::from(index * index % 17) / 3.0).collect();
        let means = PairMeans::of(&values).unwrap();
        for z in [0.5, 1.0, 1.96, 3.0] {
            let Interval { low, high, .. } = means.interval(z);
            assert!(means.z_above(low - 1e-9) >= z && means.z_above(low) < z);
            assert!(means.z_below(high + 1e-9) >= z && means.z_below(high) < z);
        }
    }

    #[test]
    fn one_extreme_value_moves_the_estimate_little() {
        let mut values: Vec<f64> = (0..30).map(|index| f64::from(index % 5)).collect();
        let before = PairMeans::of(&values).unwrap();
        values[7] = 1e6;
        let after = PairMeans::of(&values).unwrap();
        assert!((after.estimate() - before.estimate()).abs() < 0.2);
        assert!(after.interval(1.96).half_width() < 2.0 * before.interval(1.96).half_width());
    }
}
