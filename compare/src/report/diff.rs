//! `compare diff`: two runs side by side, and whether anything has moved between them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::figures::{figure, interval, table};
use super::model::{ArmReport, PointReport, Report};
use crate::judge::Measure;
use crate::stats::bootstrap::{Interval, difference_interval};
use crate::stats::quantile::mean;

/// Options of `compare diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffArgs {
    /// Folder of the earlier run, or its report.json
    a: PathBuf,

    /// Folder of the later run, or its report.json
    b: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The earlier run.
    pub a: String,
    /// The later one.
    pub b: String,
    /// What was not the same: plan, machine, settings of the services.
    pub conditions: Vec<Condition>,
    /// What has moved, and what has not, for each arm and pair of arms that both runs have.
    pub rows: Vec<Row>,
    /// Arms and pairs that only one of them has.
    pub missing: Vec<String>,
}

/// Something under which the two runs were not made alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// Its path in the report.
    pub path: String,
    /// Its value in the earlier run; None where it has none.
    pub a: Option<Value>,
    /// The same of the later one.
    pub b: Option<Value>,
}

/// A measure of an arm, or the difference of two arms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The arm, or "y − x"; with the sweep's value in front.
    pub subject: String,
    /// The measure.
    pub measure: Measure,
    /// Mean over the earlier run's blocks.
    pub a: f64,
    /// Mean over the later one's.
    pub b: f64,
    /// From the earlier to the later; None with too few blocks.
    pub change: Option<Interval>,
}

/// Prints the difference.
pub fn run(args: &DiffArgs) -> Result<ExitCode> {
    let diff = diff(&super::read(&args.a)?, &super::read(&args.b)?)?;
    let said = if args.json {
        serde_json::to_string_pretty(&diff)?
    } else {
        text(&diff)
    };
    super::print(&(said + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Holds the later run `b` against the earlier `a`. The confidence of intervals is that of `a`.
pub fn diff(a: &Report, b: &Report) -> Result<Diff> {
    let (of_a, of_b) = (subjects(a), subjects(b));
    let missing = |from: &Subjects, than: &Subjects, run: &str| -> Vec<String> {
        let only = from.iter().filter(|(subject, _)| !than.contains_key(*subject));
        only.map(|(subject, _)| format!("{subject}: only in {run}"))
            .collect()
    };
    let mut rows = Vec::new();
    for (subject, blocks_a) in &of_a {
        let Some(blocks_b) = of_b.get(subject) else {
            continue;
        };
        for measure in Measure::ALL {
            let (Some(blocks_a), Some(blocks_b)) = (blocks_a.get(&measure), blocks_b.get(&measure)) else {
                continue;
            };
            let (Some(mean_a), Some(mean_b)) = (mean(blocks_a), mean(blocks_b)) else {
                continue;
            };
            rows.push(Row {
                subject: subject.clone(),
                measure,
                a: mean_a,
                b: mean_b,
                change: difference_interval(blocks_a, blocks_b, a.confidence, a.plan.design.seed),
            });
        }
    }
    let mut missing_in_either = missing(&of_a, &of_b, &a.run);
    missing_in_either.extend(missing(&of_b, &of_a, &b.run));
    Ok(Diff {
        a: a.run.clone(),
        b: b.run.clone(),
        conditions: conditions(a, b)?,
        rows,
        missing: missing_in_either,
    })
}

/// The blocks of each arm, and the differences round by round of each pair.
type Subjects = BTreeMap<String, BTreeMap<Measure, Vec<f64>>>;

fn subjects(report: &Report) -> Subjects {
    let mut subjects = Subjects::new();
    for point in &report.points {
        let at = point
            .value
            .as_ref()
            .map_or_else(String::new, |value| format!("{value}: "));
        for arm in &point.arms {
            let values = Measure::ALL.map(|measure| (measure, arm.values(measure)));
            subjects.insert(format!("{at}{}", arm.label()), values.into());
        }
        for pair in &point.comparisons {
            if let (Some(a), Some(b)) = (arm(point, &pair.a), arm(point, &pair.b)) {
                let values = Measure::ALL.map(|measure| (measure, differences(a, b, measure)));
                subjects.insert(format!("{at}{} − {}", pair.b, pair.a), values.into());
            }
        }
    }
    subjects
}

fn arm<'a>(point: &'a PointReport, name: &str) -> Option<&'a ArmReport> {
    point
        .arms
        .iter()
        .find(|arm| !arm.is_control && arm.arm.name == name)
}

fn differences(a: &ArmReport, b: &ArmReport, measure: Measure) -> Vec<f64> {
    let rounds = a.blocks.iter().zip(&b.blocks);
    rounds
        .filter_map(|(of_a, of_b)| Some(measure.of(of_b)? - measure.of(of_a)?))
        .collect()
}

fn conditions(a: &Report, b: &Report) -> Result<Vec<Condition>> {
    let (of_a, of_b) = (leaves(a)?, leaves(b)?);
    let paths: std::collections::BTreeSet<&String> = of_a.keys().chain(of_b.keys()).collect();
    let differing = paths
        .into_iter()
        .filter(|path| of_a.get(*path) != of_b.get(*path));
    Ok(differing
        .map(|path| Condition {
            path: path.clone(),
            a: of_a.get(path).cloned(),
            b: of_b.get(path).cloned(),
        })
        .collect())
}

/// Everything under which a run was made, by its path.
fn leaves(report: &Report) -> Result<BTreeMap<String, Value>> {
    let mut machine = report.machine.clone();
    // No setting: it differs in any two runs.
    machine.load_average = 0.0;
    let mut leaves = BTreeMap::new();
    collect("plan", serde_json::to_value(&report.plan)?, &mut leaves);
    collect("machine", serde_json::to_value(machine)?, &mut leaves);
    collect("margin", serde_json::to_value(report.margin)?, &mut leaves);
    for finding in &report.fairness {
        let path = format!("settings.{}", finding.subject);
        collect(&path, serde_json::to_value(&finding.values)?, &mut leaves);
    }
    Ok(leaves)
}

fn collect(path: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(&format!("{path}.{name}"), member, leaves);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                // An arm is the same one wherever it stands.
                let name = item.get("name").and_then(Value::as_str);
                let name = name.map_or_else(|| index.to_string(), str::to_owned);
                collect(&format!("{path}[{name}]"), item, leaves);
            }
        }
        leaf => {
            leaves.insert(path.to_owned(), leaf);
        }
    }
}

/// The difference for the terminal.
pub fn text(diff: &Diff) -> String {
    let mut lines = vec![format!("a: {}\nb: {}", diff.a, diff.b)];
    if diff.conditions.is_empty() {
        lines.push("Plan, machine and settings are the same.".to_owned());
    } else {
        lines.push("Not the same, so that a change may come from these:".to_owned());
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "–".to_owned(), Value::to_string);
        lines.extend(diff.conditions.iter().map(|condition| {
            format!(
                "  {}: {}, {}",
                condition.path,
                shown(&condition.a),
                shown(&condition.b)
            )
        }));
    }
    lines.push(String::new());
    let head = ["ARM", "MEASURE", "a", "b", "b − a", ""]
        .map(str::to_owned)
        .to_vec();
    let rows = diff.rows.iter().map(|row| {
        vec![
            row.subject.clone(),
            format!("{}, {}", row.measure.name(), row.measure.unit()),
            figure(row.a),
            figure(row.b),
            row.change
                .as_ref()
                .map_or_else(|| "too few blocks".to_owned(), interval),
            row.moved().to_owned(),
        ]
    });
    lines.extend(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    lines.extend(diff.missing.iter().cloned());
    lines.join("\n")
}

impl Row {
    /// Whether it has moved for certain.
    pub const fn moved(&self) -> &'static str {
        match &self.change {
            Some(change) if change.low > 0.0 => "higher",
            Some(change) if change.high < 0.0 => "lower",
            _ => "",
        }
    }
}
