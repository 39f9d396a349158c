//! The answer sheet for the course's two questions: "Which service took less time, and why?" and "When would you use
//! which?" Each sentence rests on a figure of the run; where there is none, the sheet says so.

use serde::Serialize;

use super::model::{ArmReport, Change, Effect, Pair, PointReport, Report, Stages};
use crate::judge::{Comparison, Measure};
use crate::plan::{Route, Via};
use crate::stats::bootstrap::Interval;
use crate::stats::verdict::Verdict;
use crate::sweep::Key;

mod english;
mod spanish;

/// The sheet in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// In Spanish.
    pub es: Vec<Answer>,
    /// In English.
    pub en: Vec<Answer>,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// The answer.
    pub sentences: Vec<String>,
}

/// Something that a run says, with its figures.
#[derive(Clone, Debug)]
enum Statement<'a> {
    /// Under which conditions all others hold.
    Conditions(&'a Report),
    /// There is no verdict, for so many reasons; the rest is missing.
    NoVerdict(&'a [String]),
    /// Nor can this question be answered then.
    Unanswered,
    /// The plan has no REST arm and gRPC arm to hold against each other.
    NotCompared,
    /// The word on a measure.
    Verdict(Judged<'a>),
    /// Which part of a vote's time differs most between the two: name, ms in a, ms in b.
    LargestPart {
        pair: &'a Pair,
        part: usize,
        a: f64,
        b: f64,
    },
    /// Waiting for Kafka: ms in a, ms in b, and the lesser of its shares in a vote's time, 0 to 1.
    Publish {
        pair: &'a Pair,
        a: f64,
        b: f64,
        least_share: f64,
    },
    /// No vote asked for its server's times.
    NoStages,
    /// What one choice does by itself.
    Effect(&'a Effect),
    /// Bytes on the wire of a vote, both ways together.
    Bytes { pair: &'a Pair, a: f64, b: f64 },
    /// Memory of the routes' processes, MiB.
    Memory { pair: &'a Pair, a: f64, b: f64 },
    /// Along the sweep the verdict changes.
    Change(&'a Change),
    /// Along the sweep no verdict changes.
    NoChange { key: String },
    /// No measure tells the two apart: nothing in this run speaks for either.
    NothingTellsThemApart,
    /// What was not asked.
    Limits,
}

/// Two arms on a measure.
#[derive(Clone, Copy, Debug)]
struct Judged<'a> {
    /// The sweep's setting and its value.
    at: Option<(Key, &'a str)>,
    pair: &'a Pair,
    comparison: &'a Comparison,
}

/// What an interval says of the sign of a change.
#[derive(Clone, Copy, Debug)]
enum Sign {
    Raises,
    Lowers,
    Unclear,
}

/// A language: the words for each statement.
struct Language {
    questions: [&'static str; 2],
    say: fn(&Statement) -> String,
}

impl Judged<'_> {
    /// The better arm and the other one, each with its value; None where neither is.
    fn winner_and_loser(&self) -> Option<[(&str, f64); 2]> {
        let Self { pair, comparison, .. } = self;
        let (a, b) = ((pair.a.as_str(), comparison.a), (pair.b.as_str(), comparison.b));
        match comparison.verdict {
            Verdict::ABetter => Some([a, b]),
            Verdict::BBetter => Some([b, a]),
            Verdict::Equivalent | Verdict::NotEnoughData { .. } => None,
        }
    }
}

impl Sign {
    fn of(change: &Interval) -> Self {
        match change {
            Interval { low, .. } if *low > 0.0 => Self::Raises,
            Interval { high, .. } if *high < 0.0 => Self::Lowers,
            _ => Self::Unclear,
        }
    }
}

/// Writes the sheet.
pub fn sheet(report: &Report) -> Sheet {
    let answers = [which_and_why(report), when(report)];
    let write = |language: &Language| {
        let questions = language.questions.iter().zip(&answers);
        questions
            .map(|(question, statements)| Answer {
                question: (*question).to_owned(),
                sentences: statements.iter().map(language.say).collect(),
            })
            .collect()
    };
    Sheet {
        es: write(&spanish::SPANISH),
        en: write(&english::ENGLISH),
    }
}

fn which_and_why(report: &Report) -> Vec<Statement<'_>> {
    let mut said = vec![Statement::Conditions(report)];
    if !report.refusals.is_empty() {
        said.push(Statement::NoVerdict(&report.refusals));
        return said;
    }
    let sides = Sides::all(report);
    if sides.is_empty() {
        said.push(Statement::NotCompared);
    }
    for side in &sides {
        said.extend(side.verdicts(&[Measure::P50, Measure::P95, Measure::P99]));
    }
    // The reason is told at the sweep's first value: elsewhere it is in the tables.
    if let Some(side) = sides.first() {
        said.extend(side.parts());
        said.extend(side.point.effects.iter().map(Statement::Effect));
    }
    said
}

fn when(report: &Report) -> Vec<Statement<'_>> {
    if !report.refusals.is_empty() {
        return vec![Statement::Unanswered];
    }
    let sides = Sides::all(report);
    let Some(side) = sides.first() else {
        return vec![Statement::NotCompared];
    };
    let mut said: Vec<Statement> = side.verdicts(&[Measure::Throughput, Measure::Cpu]).collect();
    said.extend(side.costs());
    let of_pair = |change: &&Change| (&change.a, &change.b) == (&side.pair.a, &side.pair.b);
    let changes: Vec<Statement> = report
        .changes
        .iter()
        .filter(of_pair)
        .map(Statement::Change)
        .collect();
    match &report.plan.sweep {
        Some(sweep) if changes.is_empty() => said.push(Statement::NoChange {
            key: sweep.key.to_string(),
        }),
        _ => said.extend(changes),
    }
    let all = sides.iter().flat_map(|side| &side.pair.measures);
    if !all.into_iter().any(Comparison::differs) {
        said.push(Statement::NothingTellsThemApart);
    }
    said.push(Statement::Limits);
    said
}

/// A REST arm and a gRPC arm that were compared, in the order of the pair.
struct Sides<'a> {
    at: Option<(Key, &'a str)>,
    point: &'a PointReport,
    pair: &'a Pair,
    a: &'a ArmReport,
    b: &'a ArmReport,
}

impl<'a> Sides<'a> {
    /// Those of each point that has them.
    fn all(report: &'a Report) -> Vec<Self> {
        let key = report.plan.sweep.as_ref().map(|sweep| sweep.key);
        let points = report.points.iter();
        points
            .filter_map(|point| Self::of(point, key.zip(point.value.as_deref())))
            .collect()
    }

    /// The first such pair of a point, on the same way.
    fn of(point: &'a PointReport, at: Option<(Key, &'a str)>) -> Option<Self> {
        let arm = |name: &str| {
            let mut arms = point.arms.iter().filter(|arm| !arm.is_control);
            arms.find(|arm| arm.arm.name == name)
        };
        let sides = point.comparisons.iter().filter_map(|pair| {
            Some(Self {
                at,
                point,
                pair,
                a: arm(&pair.a)?,
                b: arm(&pair.b)?,
            })
        });
        let both = |side: &Self| {
            let routes = [side.a.arm.route, side.b.arm.route];
            routes.contains(&Route::Rest) && routes.contains(&Route::Grpc) && side.a.arm.via == side.b.arm.via
        };
        let direct = |side: &Self| side.a.arm.via == Via::Direct;
        let found: Vec<Self> = sides.filter(both).collect();
        let preferred = found.iter().position(direct).unwrap_or(0);
        found.into_iter().nth(preferred)
    }

    fn verdicts(&self, measures: &'static [Measure]) -> impl Iterator<Item = Statement<'a>> {
        let (at, pair) = (self.at, self.pair);
        let compared = pair
            .measures
            .iter()
            .filter(|comparison| measures.contains(&comparison.measure));
        compared.map(move |comparison| Statement::Verdict(Judged { at, pair, comparison }))
    }

    fn parts(&self) -> Vec<Statement<'a>> {
        let (Some(of_a), Some(of_b)) = (self.a.stages, self.b.stages) else {
            return vec![Statement::NoStages];
        };
        let parts = of_a.parts().into_iter().zip(of_b.parts()).enumerate();
        let size = |(_, (a, b)): &(usize, (f64, f64))| (b - a).abs();
        let largest = parts.max_by(|x, y| size(x).total_cmp(&size(y)));
        let share = |stages: Stages| stages.publish / stages.client;
        let publish = Statement::Publish {
            pair: self.pair,
            a: of_a.publish,
            b: of_b.publish,
            least_share: share(of_a).min(share(of_b)),
        };
        let largest = largest.map(|(part, (a, b))| Statement::LargestPart {
            pair: self.pair,
            part,
            a,
            b,
        });
        largest.into_iter().chain([publish]).collect()
    }

    fn costs(&self) -> impl Iterator<Item = Statement<'a>> {
        let pair = self.pair;
        let (a, b) = (self.a.cost, self.b.cost);
        let bytes = Statement::Bytes {
            pair,
            a: a.sent_bytes_per_vote() + a.received_bytes_per_vote(),
            b: b.sent_bytes_per_vote() + b.received_bytes_per_vote(),
        };
        let memory = a.memory_mib.zip(b.memory_mib);
        let memory = memory.map(|(a, b)| Statement::Memory { pair, a, b });
        std::iter::once(bytes).chain(memory)
    }
}
