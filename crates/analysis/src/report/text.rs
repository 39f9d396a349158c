//! The summary of a report for the terminal.

use experiment_model::design::DesignKind;
use experiment_model::plan::Plan;
use experiment_model::sweep::Setting;

use super::formatting::{interval, number, number_or_dash, table, verdict};
use super::headline::Decided;
use super::model::{Finding, PointReport, Report, Stages, VariantReport};
use super::questions::{answer, plot, question};
use crate::comparison::Comparison;
use crate::margin::percent;
use crate::measure::Measure;

/// The summary of a report: the answers, how sure they are, then the numbers.
pub fn summary(report: &Report) -> String {
    let mut lines = vec![report.plan.purpose.clone()];
    for point in &report.points {
        answer_lines(report, point, &mut lines);
    }
    if !report.changes.is_empty() {
        lines.push("\nWhere the verdict changes".to_owned());
        lines.extend(
            report
                .changes
                .iter()
                .map(|change| format!("  {}", change.sentence)),
        );
    }
    lines.push("\nHow sure".to_owned());
    lines.push(format!("  {}", headline(report)));
    let reasons = report.all_no_verdict_reasons();
    lines.extend(reasons.map(|reason| format!("  No verdict: {reason}")));
    lines.extend(certainty(report).into_iter().map(|line| format!("  {line}")));
    for point in &report.points {
        number_lines(report, point, &mut lines);
    }
    if let Some(differences) = &report.differences {
        lines.push(format!("\nThe stores do not reconcile:\n{differences}"));
    }
    lines.join("\n")
}

/// One sentence for each question, and one plot for each pair.
fn answer_lines(report: &Report, point: &PointReport, lines: &mut Vec<String>) {
    for pair in &point.pairs {
        lines.push(format!(
            "\n{}{} against {}",
            at_value(report, point),
            pair.b,
            pair.a
        ));
        if report.has_verdict_at(point) {
            lines.extend(pair.comparisons.iter().map(|comparison| {
                format!(
                    "  {} {}",
                    question(comparison.measure),
                    answer(&pair.a, &pair.b, comparison)
                )
            }));
        } else {
            lines.push("  No verdict; the reasons follow.".to_owned());
        }
        lines.extend(plot(&pair.comparisons));
    }
}

/// What the answers rest on, one sentence each.
pub fn certainty(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "{}. The probability of any wrong verdict is at most {} %{}.",
        design(report),
        percent(1.0 - report.confidence),
        if report.points.len() > 1 {
            " at each value"
        } else {
            ""
        },
    )];
    lines.push(format!(
        "The smallest difference that matters (margin), in % of the first variant's value: {}; at least {} ms for a latency.",
        report.margin.describe(report.rule().measures),
        report.margin.floor_ms,
    ));
    lines.extend(
        report
            .points
            .iter()
            .map(|point| format!("{}{}", at_value(report, point), control(point))),
    );
    lines.push(fairness(report));
    lines.extend(remarks(report).map(|finding| finding.sentence.clone()));
    if report.differences.is_none() {
        lines.push("Every acknowledged vote is in Kafka, Redis and MongoDB once.".to_owned());
    }
    lines
}

fn at_value(report: &Report, point: &PointReport) -> String {
    match (&point.value, &report.plan.sweep) {
        (Some(value), Some(sweep)) => format!("{} = {value}: ", sweep.key),
        _ => String::new(),
    }
}

/// What the run decided, in one sentence.
pub fn headline(report: &Report) -> String {
    if report.has_verdict() {
        Decided::of(report).headline()
    } else {
        "There is no verdict.".to_owned()
    }
}

/// Blocks, load and intervals in a few words.
pub fn design(report: &Report) -> String {
    let Plan { design, load, .. } = &report.plan;
    let load = load.users.map_or_else(
        || format!("{} votes/s", rates(report)),
        |users| format!("{users} closed-loop clients"),
    );
    let rounds = report.rounds();
    if let Some(bound_ms) = design.p99_bound_ms {
        return format!(
            "{rounds} searches of each variant, one variant after the other, for the highest rate with a 99th percentile of \
             at most {bound_ms} ms and no failed vote, in blocks of {} s",
            design.block_s
        );
    }
    let kind = match design.kind {
        DesignKind::Simultaneous => "all variants at the same time",
        DesignKind::Turns | DesignKind::Saturation => "one variant after the other",
    };
    format!(
        "{rounds} rounds of {} s at {load} for each variant, {kind}",
        design.block_s
    )
}

/// The rate of the plan, or the first and the last rate of a sweep over rates.
fn rates(report: &Report) -> String {
    let mut values = report.points.iter().filter_map(|point| point.value.as_deref());
    let is_swept = matches!(&report.plan.sweep, Some(sweep) if sweep.key == Setting::Rate);
    match (values.next(), values.next_back()) {
        (Some(first), Some(last)) if is_swept => format!("{first} to {last}"),
        (Some(first), None) if is_swept => first.to_owned(),
        _ => report.plan.load.rate.to_string(),
    }
}

/// The numbers behind the answers.
fn number_lines(report: &Report, point: &PointReport, lines: &mut Vec<String>) {
    lines.push(format!("\n{}Numbers", at_value(report, point)));
    lines.extend(table(&variants(point)));
    lines.extend(point.variants.iter().filter_map(failures));
    if !point.effects.is_empty() {
        lines.push(
            "\nEffect of each choice by itself: median latency in ms; CPU seconds per million votes"
                .to_owned(),
        );
        lines.extend(point.effects.iter().map(|effect| {
            format!(
                "  {}: {}; {}",
                effect.choice.name(),
                interval(&effect.p50_ms),
                interval(&effect.cpu_s_per_million)
            )
        }));
    }
    let stages = stages(point);
    if stages.len() > 1 {
        lines.push("\nMean stage times of a vote, ms".to_owned());
        lines.extend(table(&stages));
    }
}

fn variants(point: &PointReport) -> Vec<Vec<String>> {
    let head = [
        "VARIANT",
        "SENT",
        "FAILED",
        "P50 ms",
        "P95 ms",
        "P99 ms",
        "VOTES/s",
        "CPU s/M VOTES",
        "MEMORY MiB",
        "BYTES SENT",
        "BYTES RECEIVED",
        "COUNTED AFTER ms",
        "SENT LATE p99 ms",
    ];
    let row = |variant: &VariantReport| {
        let [p50, p95, p99, throughput, cpu] =
            Measure::ALL.map(|measure| number_or_dash(variant.location(measure)));
        vec![
            variant.label(),
            variant.sent.to_string(),
            (variant.sent - variant.acknowledged).to_string(),
            p50,
            p95,
            p99,
            throughput,
            cpu,
            number_or_dash(variant.cost.memory_mib),
            number_or_dash(variant.cost.sent_bytes_per_vote()),
            number_or_dash(variant.cost.received_bytes_per_vote()),
            number_or_dash(variant.counting_delay.map(|delay| delay.p50_ms)),
            number(variant.scheduling_delay_ms[1]),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(point.variants.iter().map(row))
        .collect()
}

fn failures(variant: &VariantReport) -> Option<String> {
    let reasons = variant
        .failures
        .iter()
        .map(|(reason, votes)| format!("{votes} {reason}"));
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| format!("{}: failed: {}", variant.label(), reasons.join(", ")))
}

/// The result of the control: whether two measurements of the first variant agree, and for which measures this is uncertain.
pub fn control(point: &PointReport) -> String {
    let name = point
        .variants
        .first()
        .map_or("the first variant", |variant| &variant.variant.name);
    if point.control.is_empty() {
        return format!("Control: too few votes of {name} were acknowledged to compare it with itself.");
    }
    let list = |is_listed: fn(&Comparison) -> bool| {
        let listed = point.control.iter().filter(|comparison| is_listed(comparison));
        let listed = listed.map(|comparison| {
            format!(
                "{} {}",
                comparison.measure.name(),
                interval(&comparison.difference)
            )
        });
        listed.collect::<Vec<_>>().join(", ")
    };
    let differing = list(Comparison::differs);
    if !differing.is_empty() {
        return format!("Control: two measurements of {name} differ: {differing}.");
    }
    let holds = format!("Control: two measurements of {name} show no difference beyond the margin.");
    let underpowered = list(Comparison::is_underpowered);
    if underpowered.is_empty() {
        return holds;
    }
    format!(
        "{holds} The control is underpowered for these measures, so they have no verdict: {underpowered}."
    )
}

fn stages(point: &PointReport) -> Vec<Vec<String>> {
    let head = std::iter::once("VARIANT").chain(Stages::NAMES).chain(["client"]);
    let timed = point
        .variants
        .iter()
        .filter_map(|variant| Some((variant.label(), variant.stages?)));
    let rows = timed.map(|(name, stages)| {
        let values = stages.parts().into_iter().chain([stages.client]);
        std::iter::once(name).chain(values.map(number)).collect()
    });
    std::iter::once(head.map(str::to_owned).collect())
        .chain(rows)
        .collect()
}

fn fairness(report: &Report) -> String {
    let unfair: Vec<&str> = report
        .fairness
        .iter()
        .filter(|finding| !finding.fair)
        .map(|finding| finding.subject.as_str())
        .collect();
    if unfair.is_empty() {
        format!(
            "The services are equal in all {} compared settings.",
            report.fairness.len() - remarks(report).count()
        )
    } else {
        format!("The services are not equal: {}.", unfair.join(", "))
    }
}

/// Findings about differences that do not make the comparison unfair.
fn remarks(report: &Report) -> impl Iterator<Item = &Finding> {
    let findings = report.fairness.iter();
    findings.filter(|finding| finding.fair && !finding.sentence.is_empty())
}

/// One sentence on a measure, with its numbers.
pub fn sentence(a: &str, b: &str, comparison: &Comparison) -> String {
    format!(
        "{}: {}. {}",
        comparison.measure.name(),
        verdict(a, b, comparison),
        values(a, b, comparison)
    )
}

fn values(a: &str, b: &str, comparison: &Comparison) -> String {
    format!(
        "{a} {}, {b} {} {}; {b} − {a} = {}, margin {}, {} rounds.",
        number(comparison.a),
        number(comparison.b),
        comparison.measure.unit(),
        interval(&comparison.difference),
        number(comparison.margin),
        comparison.rounds
    )
}
