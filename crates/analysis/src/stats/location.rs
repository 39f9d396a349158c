//! Estimates the location of a sample with one value for each round. Selects the test: by rounds, or by processes.

use super::interval::Interval;
use super::process_means::ProcessMeans;
use super::signed_rank::PairMeans;

/// The location of one value for each round.
#[derive(Clone, Debug)]
pub enum Location {
    /// The rounds are independent of each other.
    OfRounds(PairMeans),
    /// The rounds of one process are alike.
    OfProcesses(ProcessMeans),
    /// Too few processes for a test: there is only an estimate.
    WithoutTest(PairMeans),
}

impl Location {
    /// The location of independent rounds; `None` without values.
    pub fn of_rounds(values: &[(usize, f64)]) -> Option<Self> {
        pair_means(values).map(Self::OfRounds)
    }

    /// The location of rounds of which one process served `rounds_per_process`; `None` without values.
    pub fn of_processes(values: &[(usize, f64)], rounds_per_process: usize) -> Option<Self> {
        ProcessMeans::of(values, rounds_per_process).map_or_else(
            || pair_means(values).map(Self::WithoutTest),
            |means| Some(Self::OfProcesses(means)),
        )
    }

    /// How strongly the values show that the location is above `bound`, in standard deviations.
    pub fn z_above(&self, bound: f64) -> f64 {
        match self {
            Self::OfRounds(means) => means.z_above(bound),
            Self::OfProcesses(means) => means.z_above(bound),
            Self::WithoutTest(_) => 0.0,
        }
    }

    /// How strongly the values show that the location is below `bound`, in standard deviations.
    pub fn z_below(&self, bound: f64) -> f64 {
        match self {
            Self::OfRounds(means) => means.z_below(bound),
            Self::OfProcesses(means) => means.z_below(bound),
            Self::WithoutTest(_) => 0.0,
        }
    }

    /// The locations that neither of the one-sided tests (above, below) rejects at the critical value `z`. If there are too few values for this `z`, the
    /// range of all values.
    pub fn interval(&self, z: f64) -> Interval {
        match self {
            Self::OfRounds(means) => means.interval(z),
            Self::OfProcesses(means) => means.interval(z),
            Self::WithoutTest(means) => means.interval(f64::INFINITY),
        }
    }

    /// The largest critical value for which [`Self::interval`] is a confidence interval.
    pub fn largest_z(&self) -> f64 {
        match self {
            Self::OfRounds(means) => means.largest_z(),
            Self::OfProcesses(means) => means.largest_z(),
            Self::WithoutTest(_) => 0.0,
        }
    }
}

fn pair_means(values: &[(usize, f64)]) -> Option<PairMeans> {
    let values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    PairMeans::of(&values)
}
