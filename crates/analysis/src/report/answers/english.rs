//! The sentences in English.

use super::statement::{Direction, Language, MeasureVerdict, Statement};
use crate::measure::Measure;
use crate::report::formatting::{interval, number};
use crate::report::model::Stages;
use crate::stats::verdict::Verdict;

pub(super) const ENGLISH: Language = Language {
    questions: [
        "Which service took less time, and why?",
        "When would you use which?",
    ],
    sentence,
};

fn sentence(statement: &Statement) -> String {
    match statement {
        Statement::Conditions(report) => format!(
            "The run had {} rounds of {} s on one machine with {} processors. All verdicts of such a run are right in {} of \
             100 runs. The margin, as a share of the first variant's value, is: {}.",
            report.rounds(),
            report.plan.design.block_s,
            report.machine.cores,
            report.confidence * 100.0,
            report.margin.describe(report.rule().measures),
        ),
        Statement::NoVerdict(reasons) => format!("This run has no verdict. {}", reasons.join(" ")),
        Statement::NoVerdictAtSomeValues(reasons) => {
            format!("Some values of the sweep have no verdict. {}", reasons.join(" "))
        }
        Statement::Unanswered => "Without a verdict, this run gives no reason to choose either.".to_owned(),
        Statement::NotCompared => {
            "This run did not compare REST with gRPC: its plan has no such pair of variants.".to_owned()
        }
        Statement::Verdict(verdict) => verdict_sentence(verdict),
        Statement::LargestPart { pair, part, a, b } => format!(
            "Of the stages of a vote, \"{}\" differs most: {} ms with {} and {} ms with {} on average.",
            Stages::NAMES.get(*part).unwrap_or(&""),
            number(*a),
            pair.a,
            number(*b),
            pair.b
        ),
        Statement::Publish {
            pair,
            a,
            b,
            least_share,
        } => format!(
            "Waiting for Kafka takes {} ms with {} and {} ms with {}: {:.0} % or more of a vote's time with both.",
            number(*a),
            pair.a,
            number(*b),
            pair.b,
            least_share * 100.0
        ),
        Statement::NoStages => {
            "The reason is unknown: no vote of this run requested stage times.".to_owned()
        }
        Statement::Effect(effect) => {
            let effect_text = match Direction::of(&effect.p50_ms) {
                Direction::Raises => "raises the median latency",
                Direction::Lowers => "lowers the median latency",
                Direction::Unclear => "has no clear effect on the median latency",
            };
            format!(
                "By itself, {} {effect_text}: {} ms.",
                effect.choice.name(),
                interval(&effect.p50_ms)
            )
        }
        Statement::Bytes { pair, a, b } => format!(
            "On the wire, a vote needs {} bytes with {} and {} with {}, both directions together.",
            number(*a),
            pair.a,
            number(*b),
            pair.b
        ),
        Statement::Memory { pair, a, b } => format!(
            "The processes of {} used at most {} MiB of memory; those of {} used {} MiB.",
            pair.a,
            number(*a),
            pair.b,
            number(*b)
        ),
        Statement::Change(change) => format!("In the sweep, {}", change.sentence),
        Statement::NoChange { key } => {
            format!("Along the tested values of {key}, no verdict changes.")
        }
        Statement::NoDifference => {
            "No measure of this run shows a difference, so it gives no reason to choose either.".to_owned()
        }
        Statement::Limits => {
            "The run did not measure tools, browser support or the team's experience, so this answer does not cover them.".to_owned()
        }
    }
}

fn verdict_sentence(verdict: &MeasureVerdict) -> String {
    let MeasureVerdict { at, pair, comparison } = *verdict;
    let measure = comparison.measure;
    let (name, unit) = (measure.name(), measure.unit());
    let at = at.map_or_else(String::new, |(key, value)| format!("At {key} = {value}: "));
    let difference = format!("{} − {} = {}", pair.b, pair.a, interval(&comparison.difference));
    if let Some([(winner, best), (loser, other)]) = verdict.winner_and_loser() {
        let predicate = match measure {
            Measure::P50 | Measure::P95 | Measure::P99 => "took less time",
            Measure::Throughput => "answered more votes",
            Measure::Cpu => "used less CPU time",
        };
        return format!(
            "{at}{winner} {predicate}: {name} {} {unit} compared with {} for {loser} ({difference}).",
            number(best),
            number(other)
        );
    }
    let values = format!(
        "{} {unit} with {} and {} with {} ({difference})",
        number(comparison.a),
        pair.a,
        number(comparison.b),
        pair.b
    );
    match comparison.verdict {
        Verdict::NotEnoughData {
            rounds_needed: Some(rounds),
        } => format!(
            "{at}The run does not decide on the {name}, {values}: about {rounds} rounds are needed, but the run had {}.",
            comparison.rounds
        ),
        Verdict::NotEnoughData { rounds_needed: None } => format!(
            "{at}The run does not decide on the {name}, {values}: the difference is close to the margin."
        ),
        _ => format!(
            "{at}On the {name}, the two are equivalent, {values}: the difference is within the margin of {} {unit}.",
            number(comparison.margin)
        ),
    }
}
