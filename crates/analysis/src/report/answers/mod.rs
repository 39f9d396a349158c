//! The answer sheet for the course's two questions: "Which service took less time, and why?" and "When would you use
//! which?" Each sentence states a number of the run, or that the run lacks the number.

use experiment_model::sweep::Setting;
use experiment_model::variant::{Route, Via};
use serde::Serialize;

use self::statement::{Language, MeasureVerdict, Statement};
use super::model::{Change, Pair, PointReport, Report, Stages, VariantReport};
use crate::comparison::Comparison;
use crate::measure::Measure;

mod english;
mod spanish;
mod statement;

/// The answers in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerSheet {
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
    /// The sentences of the answer.
    pub sentences: Vec<String>,
}

/// Answers both questions in both languages.
pub fn answer_sheet(report: &Report) -> AnswerSheet {
    let answers = [which_and_why(report), when_to_use_which(report)];
    let write = |language: &Language| {
        let questions = language.questions.iter().zip(&answers);
        questions
            .map(|(question, statements)| Answer {
                question: (*question).to_owned(),
                sentences: statements.iter().map(language.sentence).collect(),
            })
            .collect()
    };
    AnswerSheet {
        es: write(&spanish::SPANISH),
        en: write(&english::ENGLISH),
    }
}

fn which_and_why(report: &Report) -> Vec<Statement<'_>> {
    let mut statements = vec![Statement::Conditions(report)];
    let reasons: Vec<&str> = report.all_no_verdict_reasons().collect();
    if !report.has_verdict() {
        statements.push(Statement::NoVerdict(reasons));
        return statements;
    }
    let pairs = RestGrpcPair::all(report);
    if pairs.is_empty() {
        statements.push(Statement::NotCompared);
    }
    for pair in &pairs {
        statements.extend(pair.verdict_statements(&[Measure::P50, Measure::P95, Measure::P99]));
    }
    if !reasons.is_empty() {
        statements.push(Statement::NoVerdictAtSomeValues(reasons));
    }
    // The explanation is that of the first value with a verdict. The tables of the report cover all values.
    if let Some(pair) = pairs.first() {
        statements.extend(pair.stage_statements());
        statements.extend(pair.point.effects.iter().map(Statement::Effect));
    }
    statements
}

fn when_to_use_which(report: &Report) -> Vec<Statement<'_>> {
    if !report.has_verdict() {
        return vec![Statement::Unanswered];
    }
    let pairs = RestGrpcPair::all(report);
    let Some(first) = pairs.first() else {
        return vec![Statement::NotCompared];
    };
    let mut statements: Vec<Statement> = first
        .verdict_statements(&[Measure::Throughput, Measure::Cpu])
        .collect();
    statements.extend(first.cost_statements());
    let is_of_pair = |change: &&Change| (&change.a, &change.b) == (&first.pair.a, &first.pair.b);
    let changes: Vec<Statement> = report
        .changes
        .iter()
        .filter(is_of_pair)
        .map(Statement::Change)
        .collect();
    match &report.plan.sweep {
        Some(sweep) if changes.is_empty() => statements.push(Statement::NoChange {
            key: sweep.key.to_string(),
        }),
        _ => statements.extend(changes),
    }
    let all = pairs.iter().flat_map(|pair| &pair.pair.comparisons);
    if !all.into_iter().any(Comparison::differs) {
        statements.push(Statement::NoDifference);
    }
    statements.push(Statement::Limits);
    statements
}

/// A comparison between a REST variant and a gRPC variant at one point. `a` and `b` are in the order of the pair.
struct RestGrpcPair<'a> {
    at: Option<(Setting, &'a str)>,
    point: &'a PointReport,
    pair: &'a Pair,
    a: &'a VariantReport,
    b: &'a VariantReport,
}

impl<'a> RestGrpcPair<'a> {
    /// One pair for each point that has one and has a verdict.
    fn all(report: &'a Report) -> Vec<Self> {
        let key = report.plan.sweep.as_ref().map(|sweep| sweep.key);
        report
            .points_with_verdict()
            .filter_map(|point| Self::of(point, key.zip(point.value.as_deref())))
            .collect()
    }

    /// The first such pair of a point that reaches both services in the same way (`via`) and has no stock variant. A direct
    /// pair has priority over one through the Ingress.
    fn of(point: &'a PointReport, at: Option<(Setting, &'a str)>) -> Option<Self> {
        let variant = |name: &str| {
            let mut variants = point.variants.iter().filter(|variant| !variant.is_control);
            variants.find(|variant| variant.variant.name == name)
        };
        let pairs = point.pairs.iter().filter_map(|pair| {
            Some(Self {
                at,
                point,
                pair,
                a: variant(&pair.a)?,
                b: variant(&pair.b)?,
            })
        });
        let is_rest_and_grpc = |pair: &Self| {
            let (a, b) = (&pair.a.variant, &pair.b.variant);
            let routes = [a.route, b.route];
            routes.contains(&Route::Rest)
                && routes.contains(&Route::Grpc)
                && a.via == b.via
                && !a.is_stock()
                && !b.is_stock()
        };
        let is_direct = |pair: &Self| pair.a.variant.via == Via::Direct;
        let candidates: Vec<Self> = pairs.filter(is_rest_and_grpc).collect();
        let preferred = candidates.iter().position(is_direct).unwrap_or(0);
        candidates.into_iter().nth(preferred)
    }

    fn verdict_statements(&self, measures: &'static [Measure]) -> impl Iterator<Item = Statement<'a>> {
        let (at, pair) = (self.at, self.pair);
        let compared = pair
            .comparisons
            .iter()
            .filter(|comparison| measures.contains(&comparison.measure));
        compared.map(move |comparison| Statement::Verdict(MeasureVerdict { at, pair, comparison }))
    }

    /// The reasons for a difference in latency; none if the latencies were not compared.
    fn stage_statements(&self) -> Vec<Statement<'a>> {
        let comparisons = &self.pair.comparisons;
        if !comparisons
            .iter()
            .any(|comparison| comparison.measure == Measure::P50)
        {
            return Vec::new();
        }
        let (Some(stages_a), Some(stages_b)) = (self.a.stages, self.b.stages) else {
            return vec![Statement::NoStages];
        };
        let parts = stages_a.parts().into_iter().zip(stages_b.parts()).enumerate();
        let size = |(_, (a, b)): &(usize, (f64, f64))| (b - a).abs();
        let largest = parts.max_by(|x, y| size(x).total_cmp(&size(y)));
        let share = |stages: Stages| stages.publish / stages.client;
        let publish = Statement::Publish {
            pair: self.pair,
            a: stages_a.publish,
            b: stages_b.publish,
            least_share: share(stages_a).min(share(stages_b)),
        };
        let largest = largest.map(|(part, (a, b))| Statement::LargestPart {
            pair: self.pair,
            part,
            a,
            b,
        });
        largest.into_iter().chain([publish]).collect()
    }

    fn cost_statements(&self) -> impl Iterator<Item = Statement<'a>> {
        let pair = self.pair;
        let (a, b) = (self.a.cost, self.b.cost);
        let bytes = a.bytes_per_vote().zip(b.bytes_per_vote());
        let bytes = bytes.map(|(a, b)| Statement::Bytes { pair, a, b });
        let memory = a.memory_mib.zip(b.memory_mib);
        let memory = memory.map(|(a, b)| Statement::Memory { pair, a, b });
        bytes.into_iter().chain(memory)
    }
}
