//! The location of a sample in which the values of one process are alike. Two processes of one program differ, for example
//! by the layout of their memory, and more rounds of one process do not average that out. So each process gives one value,
//! the Hodges-Lehmann estimate of its rounds, and Student's t distribution gives the interval.
//!
//! Source: Kalibera, Jones: Rigorous Benchmarking in Reasonable Time, ISMM 2013.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::interval::Interval;
use super::normal::{upper_quantile, upper_tail};
use super::signed_rank::PairMeans;

/// Beyond this critical value, the tail of the distribution is not exact in doubles.
const LARGEST_Z: f64 = 8.0;

/// The mean over processes, with its uncertainty.
#[derive(Clone, Debug)]
pub struct ProcessMeans {
    mean: f64,
    standard_error: f64,
    distribution: StudentsT,
}

impl ProcessMeans {
    /// The means of `values`, one for each round with the index of the round. A process served `rounds_per_process`
    /// consecutive rounds; a process without all its rounds is omitted. `None` with fewer than two complete processes,
    /// which do not show how much processes differ.
    pub fn of(values: &[(usize, f64)], rounds_per_process: usize) -> Option<Self> {
        let process = |(round, _): &(usize, f64)| round / rounds_per_process.max(1);
        let processes = values.chunk_by(|a, b| process(a) == process(b));
        let complete = processes.filter(|rounds| rounds.len() == rounds_per_process);
        let locations: Vec<f64> = complete
            .filter_map(|rounds| {
                let values: Vec<f64> = rounds.iter().map(|(_, value)| *value).collect();
                Some(PairMeans::of(&values)?.estimate())
            })
            .collect();
        let count = locations.len() as f64;
        let freedom = count - 1.0;
        let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let mean = locations.iter().sum::<f64>() / count;
        let squares: f64 = locations.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            mean,
            standard_error: (squares / freedom / count).sqrt().max(f64::MIN_POSITIVE),
            distribution,
        })
    }

    /// How strongly the values show that the location is above `bound`: the standard normal value with the same tail as
    /// Student's t.
    pub fn z_above(&self, bound: f64) -> f64 {
        self.z((self.mean - bound) / self.standard_error)
    }

    /// How strongly the values show that the location is below `bound`.
    pub fn z_below(&self, bound: f64) -> f64 {
        self.z((bound - self.mean) / self.standard_error)
    }

    fn z(&self, t: f64) -> f64 {
        upper_quantile(self.distribution.sf(t)).min(LARGEST_Z)
    }

    /// The locations that neither test rejects at the critical value `z`.
    pub fn interval(&self, z: f64) -> Interval {
        let t = -self.distribution.inverse_cdf(upper_tail(z.min(LARGEST_Z)));
        let half_width = t * self.standard_error;
        Interval {
            estimate: self.mean,
            low: self.mean - half_width,
            high: self.mean + half_width,
        }
    }

    /// The largest critical value for which [`Self::interval`] is a confidence interval.
    pub const fn largest_z(&self) -> f64 {
        LARGEST_Z
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_matches_a_worked_example() {
        // Processes 1, 2, 3, 4, 5: mean 2.5 + 0.5 = 3, standard error sqrt(2.5 / 5), and t of 4 degrees is 2.776.
        let values: Vec<(usize, f64)> = (0..10).map(|round| (round, (round / 2 + 1) as f64)).collect();
        let means = ProcessMeans::of(&values, 2).unwrap();
        let interval = means.interval(1.959_964);
        let half_width = 2.776_445 * 0.5f64.sqrt();
        assert!((interval.estimate - 3.0).abs() < 1e-12);
        assert!((interval.half_width() - half_width).abs() < 1e-4, "{interval:?}");
    }

    #[test]
    fn interval_excludes_exactly_what_the_test_rejects() {
        let values: Vec<(usize, f64)> = (0..40)
            .map(|round| (round, (round * round % 17) as f64))
            .collect();
        let means = ProcessMeans::of(&values, 8).unwrap();
        for z in [0.5, 1.0, 1.96, 3.0, 7.0] {
            let Interval { low, high, .. } = means.interval(z);
            let tolerance = 1e-6 * (high - low);
            assert!(means.z_above(low - tolerance) >= z && means.z_above(low + tolerance) < z);
            assert!(means.z_below(high + tolerance) >= z && means.z_below(high - tolerance) < z);
        }
    }

    #[test]
    fn incomplete_process_is_omitted() {
        let values: Vec<(usize, f64)> = (0..23).map(|round| (round, (round / 10) as f64)).collect();
        assert!((ProcessMeans::of(&values, 10).unwrap().interval(0.0).estimate - 0.5).abs() < 1e-12);
        assert!(ProcessMeans::of(&values[..19], 10).is_none());
        assert!(ProcessMeans::of(&[], 10).is_none());
    }

    #[test]
    fn equal_processes_have_a_finite_interval() {
        let values: Vec<(usize, f64)> = (0..8).map(|round| (round, 3.0)).collect();
        let means = ProcessMeans::of(&values, 2).unwrap();
        assert!(means.interval(30.0).half_width() < 1e-9);
        assert!(means.z_above(2.0) > 7.0 && means.z_above(3.0).abs() < 1e-6);
    }
}
