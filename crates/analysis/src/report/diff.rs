//! The difference of two runs: their different conditions, and the measures that changed between them.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::formatting::{interval, number, table};
use super::model::{PointReport, Report, VariantReport};
use crate::comparison::Blocks;
use crate::measure::Measure;
use crate::stats::interval::Interval;
use crate::stats::rank_sum::shift_interval;
use crate::stats::signed_rank::PairMeans;

/// The difference of two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The earlier run.
    pub a: String,
    /// The later run.
    pub b: String,
    /// Different conditions: plan, machine and settings of the services.
    pub conditions: Vec<Condition>,
    /// The change of each measure, for each variant and each pair of variants that both runs have.
    pub rows: Vec<Row>,
    /// Variants and pairs that only one of the runs has.
    pub missing: Vec<String>,
}

/// A condition that differs between the two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// Its path in the report.
    pub path: String,
    /// Its value in the earlier run; `None` if it is absent.
    pub a: Option<Value>,
    /// Its value in the later run; `None` if it is absent.
    pub b: Option<Value>,
}

/// One measure of a variant, or of the difference of two variants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The variant, or "y − x" for a pair, after the sweep's value if there is one.
    pub subject: String,
    /// The measure.
    pub measure: Measure,
    /// Hodges-Lehmann estimate over the earlier run's blocks.
    pub a: f64,
    /// Hodges-Lehmann estimate over the later run's blocks.
    pub b: f64,
    /// The later run minus the earlier run; `None` if there are too few blocks.
    pub change: Option<Interval>,
}

/// Compares the later run `b` with the earlier run `a`. Intervals have the confidence of `a`.
pub fn diff(a: &Report, b: &Report) -> Result<Diff> {
    let (subjects_a, subjects_b) = (subjects(a), subjects(b));
    let only_in = |run: &str, subjects: &Subjects, other: &Subjects| -> Vec<String> {
        let only = subjects
            .iter()
            .filter(|(subject, _)| !other.contains_key(*subject));
        only.map(|(subject, _)| format!("{subject}: only in {run}"))
            .collect()
    };
    let mut rows = Vec::new();
    for (subject, blocks_a) in &subjects_a {
        let Some(blocks_b) = subjects_b.get(subject) else {
            continue;
        };
        for measure in Measure::ALL {
            let (Some(blocks_a), Some(blocks_b)) = (blocks_a.get(&measure), blocks_b.get(&measure)) else {
                continue;
            };
            let (Some(means_a), Some(means_b)) = (PairMeans::of(blocks_a), PairMeans::of(blocks_b)) else {
                continue;
            };
            rows.push(Row {
                subject: subject.clone(),
                measure,
                a: means_a.estimate(),
                b: means_b.estimate(),
                change: shift_interval(blocks_a, blocks_b, a.confidence),
            });
        }
    }
    let mut missing = only_in(&a.run, &subjects_a, &subjects_b);
    missing.extend(only_in(&b.run, &subjects_b, &subjects_a));
    Ok(Diff {
        a: a.run.clone(),
        b: b.run.clone(),
        conditions: conditions(a, b)?,
        rows,
        missing,
    })
}

/// Values by subject and measure: one for each block of a variant, and one for each round of a pair.
type Subjects = BTreeMap<String, BTreeMap<Measure, Vec<f64>>>;

fn subjects(report: &Report) -> Subjects {
    let mut subjects = Subjects::new();
    for point in &report.points {
        let at = point
            .value
            .as_ref()
            .map_or_else(String::new, |value| format!("{value}: "));
        for variant in &point.variants {
            let values = Measure::ALL.map(|measure| (measure, variant.values(measure)));
            subjects.insert(format!("{at}{}", variant.label()), values.into());
        }
        for pair in &point.pairs {
            if let (Some(a), Some(b)) = (variant(point, &pair.a), variant(point, &pair.b)) {
                let values = Measure::ALL.map(|measure| (measure, differences(a, b, measure)));
                subjects.insert(format!("{at}{} − {}", pair.b, pair.a), values.into());
            }
        }
    }
    subjects
}

fn variant<'a>(point: &'a PointReport, name: &str) -> Option<&'a VariantReport> {
    point
        .variants
        .iter()
        .find(|variant| !variant.is_control && variant.variant.name == name)
}

fn differences(a: &VariantReport, b: &VariantReport, measure: Measure) -> Vec<f64> {
    let blocks = |variant| Blocks::from(variant).of(measure);
    let rounds = blocks(a).iter().zip(blocks(b));
    rounds
        .filter_map(|(block_a, block_b)| Some(measure.of(block_b)? - measure.of(block_a)?))
        .collect()
}

fn conditions(a: &Report, b: &Report) -> Result<Vec<Condition>> {
    let (leaves_a, leaves_b) = (leaves(a)?, leaves(b)?);
    let paths: std::collections::BTreeSet<&String> = leaves_a.keys().chain(leaves_b.keys()).collect();
    let differing = paths
        .into_iter()
        .filter(|path| leaves_a.get(*path) != leaves_b.get(*path));
    Ok(differing
        .map(|path| Condition {
            path: path.clone(),
            a: leaves_a.get(path).cloned(),
            b: leaves_b.get(path).cloned(),
        })
        .collect())
}

/// All conditions of a run by their path in the report.
fn leaves(report: &Report) -> Result<BTreeMap<String, Value>> {
    let mut machine = report.machine.clone();
    // The load average is not a condition: it differs between any two runs.
    machine.load_average = 0.0;
    let mut leaves = BTreeMap::new();
    collect("plan", serde_json::to_value(&report.plan)?, &mut leaves);
    collect("machine", serde_json::to_value(machine)?, &mut leaves);
    collect("margin", serde_json::to_value(&report.margin)?, &mut leaves);
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
                // Variants are matched by name, not by position.
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
        lines.push("These conditions differ and may explain a change:".to_owned());
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
    let head = ["VARIANT", "MEASURE", "a", "b", "b − a", ""]
        .map(str::to_owned)
        .to_vec();
    let rows = diff.rows.iter().map(|row| {
        vec![
            row.subject.clone(),
            format!("{}, {}", row.measure.name(), row.measure.unit()),
            number(row.a),
            number(row.b),
            row.change
                .as_ref()
                .map_or_else(|| "too few blocks".to_owned(), interval),
            row.direction().to_owned(),
        ]
    });
    lines.extend(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    lines.extend(diff.missing.iter().cloned());
    lines.join("\n")
}

impl Row {
    /// The direction of the change, or an empty string if the interval contains 0.
    pub const fn direction(&self) -> &'static str {
        match &self.change {
            Some(change) if change.low > 0.0 => "higher",
            Some(change) if change.high < 0.0 => "lower",
            _ => "",
        }
    }
}
