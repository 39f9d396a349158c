//! Intervals by resampling whole blocks. Votes within a block share its weather (a flush, a neighbour's load), so they are
//! no independent samples; blocks nearly are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantile::{mean, nearest_rank, standard_error};

/// Resamples: the ends of a 95 % interval are then the 250th value from either side.
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
    /// Half of its width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The mean of `values`, one of each block, with an interval of `confidence` (0 to 1) by the studentised bootstrap
/// (bootstrap-t): with a dozen blocks the plain percentile method is too narrow. The same seed gives the same interval.
/// None with fewer than three blocks.
pub fn mean_interval(values: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if values.len() < LEAST_BLOCKS {
        return None;
    }
    let estimate = |values: &[f64]| Some((mean(values)?, standard_error(values)?));
    studentised(estimate(values)?, confidence, seed, |random| {
        estimate(&resample(values, random))
    })
}

/// The mean of `b` minus the mean of `a`, blocks of two runs that have nothing to do with each other, in the same way.
pub fn difference_interval(a: &[f64], b: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if a.len().min(b.len()) < LEAST_BLOCKS {
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

const LEAST_BLOCKS: usize = 3;

/// An interval around an estimate with its standard error, from how far resamples lie off in standard errors of their own.
fn studentised(
    (estimate, error): (f64, f64),
    confidence: f64,
    seed: u64,
    again: impl Fn(&mut fastrand::Rng) -> Option<(f64, f64)>,
) -> Option<Interval> {
    if error == 0.0 {
        return Some(Interval {
            estimate,
            low: estimate,
            high: estimate,
        });
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let off = |random: &mut fastrand::Rng| {
        // A resample has no error if all of its blocks are the same one.
        let (resampled, error) = again(random).filter(|(_, error)| *error > 0.0)?;
        Some((resampled - estimate) / error)
    };
    let mut off: Vec<f64> = (0..RESAMPLES).filter_map(|_| off(&mut random)).collect();
    off.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        estimate,
        low: estimate - error * nearest_rank(&off, 1.0 - tail)?,
        high: estimate - error * nearest_rank(&off, tail)?,
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

    /// Normal by the sum of uniforms.
    fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn the_true_value_lies_inside_about_as_often_as_promised() {
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
    fn a_seed_repeats_and_blocks_without_spread_have_no_width() {
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
    fn the_difference_of_two_runs_is_found_as_often_as_promised() {
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
