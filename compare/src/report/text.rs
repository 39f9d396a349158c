//! A report in sentences, for the terminal.

use super::figures::{figure, figure_or_dash, interval, table, verdict};
use super::model::{ArmReport, PointReport, Report, Stages};
use crate::judge::{Comparison, Measure};
use crate::plan::Plan;

/// The report in sentences.
pub fn summary(report: &Report) -> String {
    let mut lines = vec![heading(report)];
    for point in &report.points {
        point_lines(report, point, &mut lines);
    }
    if !report.changes.is_empty() {
        lines.push("\nAlong the sweep".to_owned());
        lines.extend(
            report
                .changes
                .iter()
                .map(|change| format!("  {}", change.sentence)),
        );
    }
    lines.push(String::new());
    lines.push(fairness(report));
    let refusals = report.refusals.iter();
    lines.extend(refusals.map(|refusal| format!("No verdict: {refusal}")));
    lines.push(match &report.differences {
        None => "Every acknowledged vote is in Kafka, Redis and MongoDB once.".to_owned(),
        Some(differences) => format!("The books differ:\n{differences}"),
    });
    lines.join("\n")
}

fn heading(report: &Report) -> String {
    format!(
        "{}\n{}; a difference matters from {} % on, of a latency from {} ms on.",
        report.plan.purpose,
        design(report),
        report.margin.share * 100.0,
        report.margin.floor_ms,
    )
}

/// Blocks, load and intervals, in a few words.
pub fn design(report: &Report) -> String {
    let Plan { design, load, .. } = &report.plan;
    let load = load.users.map_or_else(
        || format!("{} votes/s", load.rate),
        |users| format!("{users} clients that wait for each answer"),
    );
    format!(
        "{} rounds of {} s at {load}, {} % intervals",
        design.rounds,
        design.block_s,
        report.confidence * 100.0
    )
}

fn point_lines(report: &Report, point: &PointReport, lines: &mut Vec<String>) {
    lines.push(String::new());
    if let (Some(value), Some(sweep)) = (&point.value, &report.plan.sweep) {
        lines.push(format!("{} = {value}", sweep.key));
    }
    lines.extend(table(&arms(point)));
    lines.extend(point.arms.iter().filter_map(failures));
    for pair in &point.comparisons {
        lines.push(format!("\n{} against {}", pair.b, pair.a));
        let is_judged = report.refusals.is_empty();
        lines.extend(pair.measures.iter().map(|comparison| {
            if is_judged {
                format!("  {}", sentence(&pair.a, &pair.b, comparison))
            } else {
                format!(
                    "  {}: no verdict. {}",
                    comparison.measure.name(),
                    values(&pair.a, &pair.b, comparison)
                )
            }
        }));
    }
    lines.push(format!("\n{}", control(point)));
    if !point.effects.is_empty() {
        lines.push("\nEach choice by itself: median latency, ms; CPU seconds per million votes".to_owned());
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
        lines.push("\nWhere the time of a vote goes: means, ms".to_owned());
        lines.extend(table(&stages));
    }
}

fn arms(point: &PointReport) -> Vec<Vec<String>> {
    let head = [
        "ARM",
        "SENT",
        "FAILED",
        "P50 ms",
        "P95 ms",
        "P99 ms",
        "VOTES/s",
        "CPU s/M",
        "MiB",
        "BYTES OUT",
        "BYTES IN",
        "COUNTED ms",
        "LATE ms",
    ];
    let row = |arm: &ArmReport| {
        let [p50, p95, p99, throughput, cpu] = Measure::ALL.map(|measure| figure_or_dash(arm.mean(measure)));
        vec![
            arm.label(),
            arm.sent.to_string(),
            (arm.sent - arm.acknowledged).to_string(),
            p50,
            p95,
            p99,
            throughput,
            cpu,
            figure_or_dash(arm.cost.memory_mib),
            figure(arm.cost.sent_bytes_per_vote()),
            figure(arm.cost.received_bytes_per_vote()),
            figure_or_dash(arm.counted.map(|counted| counted.p50_ms)),
            figure(arm.lag_ms[1]),
        ]
    };
    std::iter::once(head.map(str::to_owned).to_vec())
        .chain(point.arms.iter().map(row))
        .collect()
}

fn failures(arm: &ArmReport) -> Option<String> {
    let reasons = arm
        .failures
        .iter()
        .map(|(reason, votes)| format!("{votes} {reason}"));
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| format!("{}: failed: {}", arm.label(), reasons.join(", ")))
}

/// Whether the first arm equals itself, and where that cannot be told.
pub fn control(point: &PointReport) -> String {
    let name = point.arms.first().map_or("the first arm", |arm| &arm.arm.name);
    if point.control.is_empty() {
        return format!("Control: {name} acknowledged too little to be held against itself.");
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
        return format!("Control: {name} differs from itself: {differing}.");
    }
    let holds = format!("Control: {name} against itself shows no difference beyond the margin.");
    let blind = list(Comparison::is_blind);
    if blind.is_empty() {
        return holds;
    }
    format!("{holds} Too uncertain to vouch for any other: {blind}.")
}

fn stages(point: &PointReport) -> Vec<Vec<String>> {
    let head = std::iter::once("ARM").chain(Stages::NAMES).chain(["client"]);
    let timed = point
        .arms
        .iter()
        .filter_map(|arm| Some((arm.label(), arm.stages?)));
    let rows = timed.map(|(name, stages)| {
        let values = stages.parts().into_iter().chain([stages.client]);
        std::iter::once(name).chain(values.map(figure)).collect()
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
            "The services are equal in all {} settings that were compared.",
            report.fairness.len()
        )
    } else {
        format!("The services are not equal: {}.", unfair.join(", "))
    }
}

/// One plain sentence on a measure, with the figures that it rests on.
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
        figure(comparison.a),
        figure(comparison.b),
        comparison.measure.unit(),
        interval(&comparison.difference),
        figure(comparison.margin),
        comparison.rounds
    )
}
