//! The statements of an answer sheet. Each language turns a statement into a sentence.

use experiment_model::sweep::Setting;

use crate::comparison::Comparison;
use crate::report::model::{Change, Effect, Pair, Report};
use crate::stats::interval::Interval;
use crate::stats::verdict::Verdict;

/// A statement about a run, with its numbers.
#[derive(Clone, Debug)]
pub(super) enum Statement<'a> {
    /// The conditions of all other statements.
    Conditions(&'a Report),
    /// The run has no verdict, for these reasons.
    NoVerdict(Vec<&'a str>),
    /// Some values of the sweep have no verdict, for these reasons.
    NoVerdictAtSomeValues(Vec<&'a str>),
    /// The question has no answer, because the run has no verdict.
    Unanswered,
    /// The plan has no REST variant and gRPC variant to compare.
    NotCompared,
    /// The verdict on one measure.
    Verdict(MeasureVerdict<'a>),
    /// The stage with the largest difference between a and b: its index, and ms in a and in b.
    LargestPart {
        pair: &'a Pair,
        part: usize,
        a: f64,
        b: f64,
    },
    /// Waiting for Kafka: ms in a and in b, and the smaller of its two shares of a vote's time, 0 to 1.
    Publish {
        pair: &'a Pair,
        a: f64,
        b: f64,
        least_share: f64,
    },
    /// No vote requested stage times.
    NoStages,
    /// The effect of one choice by itself.
    Effect(&'a Effect),
    /// Bytes on the wire for each vote, both directions together.
    Bytes { pair: &'a Pair, a: f64, b: f64 },
    /// Memory of the routes' processes, in MiB.
    Memory { pair: &'a Pair, a: f64, b: f64 },
    /// The verdict changes along the sweep.
    Change(&'a Change),
    /// No verdict changes along the sweep.
    NoChange { key: String },
    /// No measure shows a difference between the two.
    NoDifference,
    /// Topics that the run did not measure.
    Limits,
}

/// The comparison of a pair on one measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeasureVerdict<'a> {
    /// The sweep's setting and its value.
    pub(super) at: Option<(Setting, &'a str)>,
    pub(super) pair: &'a Pair,
    pub(super) comparison: &'a Comparison,
}

/// The direction of an effect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Raises,
    Lowers,
    /// The interval contains 0.
    Unclear,
}

/// A language: the questions, and the sentence for each statement.
pub(super) struct Language {
    pub(super) questions: [&'static str; 2],
    pub(super) sentence: fn(&Statement) -> String,
}

impl MeasureVerdict<'_> {
    /// The better variant and the worse one, each with its value; `None` if neither is better.
    pub(super) fn winner_and_loser(&self) -> Option<[(&str, f64); 2]> {
        let Self { pair, comparison, .. } = self;
        let (a, b) = ((pair.a.as_str(), comparison.a), (pair.b.as_str(), comparison.b));
        match comparison.verdict {
            Verdict::ABetter => Some([a, b]),
            Verdict::BBetter => Some([b, a]),
            Verdict::Equivalent | Verdict::NotEnoughData { .. } => None,
        }
    }
}

impl Direction {
    pub(super) fn of(effect: &Interval) -> Self {
        match effect {
            Interval { low, .. } if *low > 0.0 => Self::Raises,
            Interval { high, .. } if *high < 0.0 => Self::Lowers,
            _ => Self::Unclear,
        }
    }
}
