//! Bootstrap intervals that resample whole blocks. Votes within a block share its noise (a disk flush, another process's
//! load), so they are not independent samples. Blocks are nearly independent.

use quantile::nearest_rank;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::moments::{mean, standard_error};

/// Number of resamples. The ends of a 95 % interval are then the 250th value from either side.
const RESAMPLES: usize = 10_000;

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The mean over the blocks.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Half of the interval's width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The mean of `values`, one for each block, with an interval of `confidence` (0 to 1) by the studentised bootstrap
/// (bootstrap-t). With a dozen blocks, the simpler percentile method gives intervals that are too narrow. The same seed
/// gives the same interval. `None` for fewer than three blocks.
pub fn mean_interval(values: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if values.len() < MIN_BLOCKS {
        return None;
    }
    let estimate = |values: &[f64]| Some((mean(values)?, standard_error(values)?));
    studentised(estimate(values)?, confidence, seed, |random| {
        estimate(&resample(values, random))
    })
}

/// The mean of `b` minus the mean of `a`, for the blocks of two independent runs, by the same method.
pub fn difference_interval(a: &[f64], b: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if a.len().min(b.len()) < MIN_BLOCKS {
        return None;
    }
    let estimate = |a: &[f64], b: &[f64]| {
        let error = standard_error(a)?.hypot(standard_error(b)?);
        Some((mean(b)? - mean(a)?, error))
    };
    studentised(estimate(a, b)?, confidence, seed, |random| {
        estimate(&resample(a, random), &resample(b, random))
    })
}

const MIN_BLOCKS: usize = 3;

/// An interval around an estimate with its standard error. `resample_estimate` returns the estimate and the standard error of
/// one resample; their studentised deviations from the estimate give the ends of the interval.
fn studentised(
    (estimate, error): (f64, f64),
    confidence: f64,
    seed: u64,
    resample_estimate: impl Fn(&mut fastrand::Rng) -> Option<(f64, f64)>,
) -> Option<Interval> {
    if error == 0.0 {
        return Some(Interval {
            estimate,
            low: estimate,
            high: estimate,
        });
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let deviation = |random: &mut fastrand::Rng| {
        // The standard error is 0 if the resample repeats a single block.
        let (resampled, error) = resample_estimate(random).filter(|(_, error)| *error > 0.0)?;
        Some((resampled - estimate) / error)
    };
    let mut deviations: Vec<f64> = (0..RESAMPLES).filter_map(|_| deviation(&mut random)).collect();
    deviations.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        estimate,
        low: estimate - error * nearest_rank(&deviations, 1.0 - tail)?,
        high: estimate - error * nearest_rank(&deviations, tail)?,
    })
}

fn resample(values: &[f64], random: &mut fastrand::Rng) -> Vec<f64> {
    (0..values.len())
        .filter_map(|_| random.choice(values).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIDENCE: f64 = 0.95;

    /// Approximately normal, by the sum of uniform numbers.
    fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn interval_contains_the_true_mean_at_the_nominal_rate() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut inside, experiments) = (0, 400);
        for seed in 0..experiments {
            let blocks: Vec<f64> = (0..12).map(|_| 3.0 + normal(&mut random)).collect();
            let interval = mean_interval(&blocks, CONFIDENCE, seed).unwrap();
            inside += u64::from(interval.low <= 3.0 && 3.0 <= interval.high);
        }
        let share = inside as f64 / experiments as f64;
        assert!((0.91..=0.98).contains(&share), "{share}");
    }

    #[test]
    fn same_seed_gives_the_same_interval_and_equal_blocks_give_zero_width() {
        let blocks = [1.0, 2.0, 4.0, 3.0];
        assert_eq!(
            mean_interval(&blocks, CONFIDENCE, 7),
            mean_interval(&blocks, CONFIDENCE, 7)
        );
        let flat = mean_interval(&[2.0; 5], CONFIDENCE, 7).unwrap();
        assert_eq!((flat.low, flat.high, flat.half_width()), (2.0, 2.0, 0.0));
        assert_eq!(mean_interval(&[1.0, 2.0], CONFIDENCE, 7), None);
    }

    #[test]
    fn interval_contains_the_true_difference_of_two_runs_at_the_nominal_rate() {
        let mut random = fastrand::Rng::with_seed(2);
        let (mut inside, experiments) = (0, 400);
        for seed in 0..experiments {
            let a: Vec<f64> = (0..12).map(|_| 3.0 + normal(&mut random)).collect();
            let b: Vec<f64> = (0..20).map(|_| 5.0 + 2.0 * normal(&mut random)).collect();
            let interval = difference_interval(&a, &b, CONFIDENCE, seed).unwrap();
            inside += u64::from(interval.low <= 2.0 && 2.0 <= interval.high);
        }
        let share = inside as f64 / experiments as f64;
        assert!((0.91..=0.98).contains(&share), "{share}");
    }
}
