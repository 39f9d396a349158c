//! When a run may stop. A run that checks a 95 % interval after each round, and stops at the first decision, decides wrongly
//! in more than 5 % of all runs. Here, the critical value is larger in early rounds, so that the probability of a wrong
//! decision in any round stays within the error rate.
//!
//! The boundary is that of O'Brien and Fleming: the sum of the evidence must exceed the same value in every round. The
//! probability that a random walk of `planned` steps ever exceeds c standard deviations of its end is at most 4 times the
//! normal tail beyond c, by the reflection principle, for any number of looks.
//!
//! Source: O'Brien, Fleming, A Multiple Testing Procedure for Clinical Trials, Biometrics 35 (1979); Jennison, Turnbull,
//! Group Sequential Methods (2000), chapters 2 and 9.

use super::normal::{upper_quantile, upper_tail};

/// How often the data are evaluated. A look is an interim evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Once, after the last round.
    Once,
    /// After any round, up to this number of rounds.
    UpTo(usize),
}

impl Looks {
    /// The critical value, in standard deviations, after `rounds` rounds, for a two-sided test of `error_rate`.
    pub fn critical_z(self, error_rate: f64, rounds: usize) -> f64 {
        match self {
            Self::Once => upper_quantile(error_rate / 2.0),
            Self::UpTo(planned) => upper_quantile(error_rate / 4.0) / share(rounds, planned).sqrt(),
        }
    }

    /// The smallest error rate for which `z`, after `rounds` rounds, is beyond the critical value.
    pub fn p_value(self, z: f64, rounds: usize) -> f64 {
        let p_value = match self {
            Self::Once => 2.0 * upper_tail(z),
            Self::UpTo(planned) => 4.0 * upper_tail(z * share(rounds, planned).sqrt()),
        };
        p_value.min(1.0)
    }
}

/// The share of the planned rounds that are complete.
fn share(rounds: usize, planned: usize) -> f64 {
    (rounds as f64 / planned.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::heavy_tails::skewed;
    use crate::stats::signed_rank::PairMeans;

    #[test]
    fn p_value_is_the_inverse_of_the_critical_value() {
        for looks in [Looks::Once, Looks::UpTo(80)] {
            for rounds in [20, 80] {
                let z = looks.critical_z(0.01, rounds);
                assert!((looks.p_value(z, rounds) - 0.01).abs() < 1e-6);
            }
        }
        assert!(Looks::UpTo(80).critical_z(0.05, 20) > 4.0);
        assert!((Looks::UpTo(80).critical_z(0.05, 80) - 2.2414).abs() < 1e-3);
    }

    #[test]
    fn a_look_after_every_round_keeps_the_error_rate_on_heavy_tails() {
        let (planned, experiments) = (60, 400);
        let mut wrong = 0;
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..experiments {
            // The difference of two equal variants is symmetric, whatever their distribution is.
            let differences: Vec<f64> = (0..planned)
                .map(|_| skewed(&mut random) - skewed(&mut random))
                .collect();
            let is_wrong = (8..=planned).any(|rounds| {
                let means = PairMeans::of(&differences[..rounds]).unwrap();
                let z = means.z_above(0.0).max(means.z_below(0.0));
                z >= Looks::UpTo(planned).critical_z(0.05, rounds)
            });
            wrong += u32::from(is_wrong);
        }
        // At most 5 %; the tolerance is three standard deviations of 400 experiments.
        let share = f64::from(wrong) / f64::from(experiments);
        assert!(share <= 0.05 + 0.033, "{share}");
    }
}
