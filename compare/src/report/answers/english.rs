//! The words in English.

use super::{Judged, Language, Sign, Statement};
use crate::judge::Measure;
use crate::report::figures::{figure, interval};
use crate::report::model::Stages;
use crate::stats::verdict::Verdict;

pub(super) const ENGLISH: Language = Language {
    questions: [
        "Which service took less time, and why?",
        "When would you use which?",
    ],
    say,
};

fn say(statement: &Statement) -> String {
    match statement {
        Statement::Conditions(report) => format!(
            "This was measured in {} rounds of {} s on one machine with {} processors; its intervals hold the true value \
             in {} of 100 runs, and a difference counts from {} % on.",
            report.plan.design.rounds,
            report.plan.design.block_s,
            report.machine.cores,
            report.confidence * 100.0,
            report.margin.share * 100.0,
        ),
        Statement::NoVerdict(reasons) => format!("This run allows no verdict. {}", reasons.join(" ")),
        Statement::Unanswered => "Without a verdict this run gives no reason for either.".to_owned(),
        Statement::NotCompared => {
            "This run did not hold REST against gRPC: its plan has no such pair of arms.".to_owned()
        }
        Statement::Verdict(judged) => verdict(judged),
        Statement::LargestPart { pair, part, a, b } => format!(
            "Of the parts of a vote's time, \"{}\" differs most: {} ms with {} and {} ms with {} on average.",
            Stages::NAMES.get(*part).unwrap_or(&""),
            figure(*a),
            pair.a,
            figure(*b),
            pair.b
        ),
        Statement::Publish {
            pair,
            a,
            b,
            least_share,
        } => format!(
            "Waiting for Kafka takes {} ms with {} and {} ms with {}: {:.0} % or more of a vote's time with either.",
            figure(*a),
            pair.a,
            figure(*b),
            pair.b,
            least_share * 100.0
        ),
        Statement::NoStages => {
            "Why cannot be said: no vote of this run asked its server where the time went.".to_owned()
        }
        Statement::Effect(effect) => {
            let word = match Sign::of(&effect.p50_ms) {
                Sign::Raises => "raises the median latency",
                Sign::Lowers => "lowers the median latency",
                Sign::Unclear => "neither raises nor lowers the median latency for certain",
            };
            format!(
                "By itself, {} {word}: {} ms.",
                effect.choice.name(),
                interval(&effect.p50_ms)
            )
        }
        Statement::Bytes { pair, a, b } => format!(
            "On the wire a vote takes {} bytes with {} and {} with {}, both ways together.",
            figure(*a),
            pair.a,
            figure(*b),
            pair.b
        ),
        Statement::Memory { pair, a, b } => format!(
            "The processes of {} held {} MiB of memory at most, those of {} {} MiB.",
            pair.a,
            figure(*a),
            pair.b,
            figure(*b)
        ),
        Statement::Change(change) => format!("Along the sweep, {}", change.sentence),
        Statement::NoChange { key } => {
            format!("Along the values of {key} that were tried, no verdict turns into another.")
        }
        Statement::NothingTellsThemApart => {
            "No measure of this run tells the two apart, so nothing in it speaks for either.".to_owned()
        }
        Statement::Limits => {
            "What was not measured (tools, browsers, what a team knows) is not answered here.".to_owned()
        }
    }
}

fn verdict(judged: &Judged) -> String {
    let Judged { at, pair, comparison } = *judged;
    let measure = comparison.measure;
    let (name, unit) = (measure.name(), measure.unit());
    let at = at.map_or_else(String::new, |(key, value)| format!("At {key} = {value}: "));
    let difference = format!("{} − {} = {}", pair.b, pair.a, interval(&comparison.difference));
    if let Some([(winner, best), (loser, other)]) = judged.winner_and_loser() {
        let did = match measure {
            Measure::P50 | Measure::P95 | Measure::P99 => "took less time",
            Measure::Throughput => "answered more votes",
            Measure::Cpu => "took less of the processor",
        };
        return format!(
            "{at}{winner} {did}: {name} {} {unit}, against {} with {loser} ({difference}).",
            figure(best),
            figure(other)
        );
    }
    let values = format!(
        "{} {unit} with {} and {} with {} ({difference})",
        figure(comparison.a),
        pair.a,
        figure(comparison.b),
        pair.b
    );
    match comparison.verdict {
        Verdict::NotEnoughData {
            blocks_needed: Some(rounds),
        } => format!(
            "{at}On the {name} this run has no answer, {values}: about {rounds} rounds would be needed, and it had {}.",
            comparison.rounds
        ),
        Verdict::NotEnoughData { blocks_needed: None } => format!(
            "{at}On the {name} this run has no answer, {values}: the difference is about as large as the least that counts."
        ),
        _ => format!(
            "{at}On the {name} the two are equivalent, {values}: less than the {} {unit} that would count.",
            figure(comparison.margin)
        ),
    }
}
