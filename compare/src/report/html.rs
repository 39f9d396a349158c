//! The page: one file without a script and without a request, that prints.

use anyhow::{Context, Result};
use lab::plot::RGBColor;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::answers::{self, Sheet};
use super::figures::{figure, figure_or_dash, interval, signed, verdict};
use super::model::{ArmReport, Effect, PointReport, Report, Stages};
use super::{plots, text};
use crate::judge::{Comparison, Measure};
use crate::stats::verdict::Verdict;

const TEMPLATE: &str = include_str!("page.html");

/// What the template is filled with: words and drawings, no figures to be worked out.
#[derive(Debug, Serialize)]
struct Page<'a> {
    report: &'a Report,
    sheet: Sheet,
    design: String,
    is_judged: bool,
    sweeps: Vec<SweepView>,
    points: Vec<PointView>,
    plan: String,
    memory_gib: String,
    driver: [String; 3],
}

#[derive(Debug, Serialize)]
struct SweepView {
    measure: &'static str,
    plot: Value,
    /// Rows of a table: the sweep's value, then a figure for each arm.
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct PointView {
    /// `load.rate = 400`; None without a sweep.
    title: Option<String>,
    legend: Vec<Key>,
    pairs: Vec<PairView>,
    control: PairView,
    control_holds: bool,
    control_sentence: String,
    arms: Vec<ArmView>,
    quantiles: Value,
    distribution: Value,
    over_time: Value,
    stages: Option<StagesView>,
    effects: Option<EffectsView>,
}

/// A colour and what it stands for.
#[derive(Debug, Serialize)]
struct Key {
    color: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct PairView {
    a: String,
    b: String,
    rows: Vec<MeasureView>,
    plot: Value,
}

#[derive(Debug, Serialize)]
struct MeasureView {
    measure: String,
    a: String,
    b: String,
    difference: String,
    percent: String,
    margin: String,
    verdict: String,
    /// `better`, `same` or `open`: how the verdict is shown.
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct ArmView {
    name: String,
    way: String,
    sent: usize,
    failures: String,
    /// p50, p90, p95, p99, p99.9 and the largest.
    latencies: Vec<String>,
    throughput: String,
    cpu: String,
    memory: String,
    bytes: [String; 2],
    /// Mean, p50, p99.
    counted: [String; 3],
    lag: [String; 3],
    blocks: Vec<[String; 4]>,
}

#[derive(Debug, Serialize)]
struct StagesView {
    plot: Value,
    legend: Vec<Key>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct EffectsView {
    plot: Value,
    rows: Vec<[String; 4]>,
}

/// The page of a report.
pub fn page(report: &Report) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    let gib = report.machine.memory_bytes as f64 / f64::from(1 << 30);
    let page = Page {
        sheet: answers::sheet(report),
        design: text::design(report),
        is_judged: report.refusals.is_empty(),
        sweeps: sweeps(report)?,
        points: report
            .points
            .iter()
            .map(|point| point_view(report, point))
            .collect::<Result<_>>()?,
        plan: toml::to_string_pretty(&report.plan).context("writing the plan")?,
        memory_gib: figure(gib),
        driver: [
            figure(report.driver.highest_rate),
            figure(report.driver.overhead_p50_ms),
            figure(report.driver.overhead_p99_ms),
        ],
        report,
    };
    // The name's ending makes the template escape what it is filled with.
    environment
        .render_named_str("page.html", TEMPLATE, Value::from_serialize(&page))
        .context("filling the page")
}

fn drawn(svg: String) -> Value {
    Value::from_safe_string(svg)
}

fn sweeps(report: &Report) -> Result<Vec<SweepView>> {
    let mut views = Vec::new();
    for measure in Measure::ALL {
        let Some(plot) = plots::sweep(report, measure)? else {
            continue;
        };
        let row = |point: &PointReport| -> Vec<String> {
            let values = point.arms.iter().map(|arm| figure_or_dash(arm.mean(measure)));
            point.value.iter().cloned().chain(values).collect()
        };
        views.push(SweepView {
            measure: measure.name(),
            plot: drawn(plot),
            rows: report.points.iter().map(row).collect(),
        });
    }
    Ok(views)
}

fn point_view(report: &Report, point: &PointReport) -> Result<PointView> {
    let is_judged = report.refusals.is_empty();
    let title = point.value.as_ref().zip(report.plan.sweep.as_ref());
    let first = point
        .arms
        .first()
        .map(|arm| arm.arm.name.clone())
        .unwrap_or_default();
    let pairs = point.comparisons.iter();
    let legend = point.arms.iter().enumerate().map(|(index, arm)| Key {
        color: hex(plots::arm_color(index, arm)),
        name: arm.label(),
    });
    Ok(PointView {
        title: title.map(|(value, sweep)| format!("{} = {value}", sweep.key)),
        legend: legend.collect(),
        pairs: pairs
            .map(|pair| pair_view(&pair.a, &pair.b, &pair.measures, is_judged))
            .collect::<Result<_>>()?,
        // Whether it holds is known even where nothing else is.
        control: pair_view(&first, &format!("{first} again"), &point.control, true)?,
        control_holds: point.control_holds,
        control_sentence: text::control(point),
        arms: point.arms.iter().map(arm_view).collect(),
        quantiles: drawn(plots::quantiles(point)?),
        distribution: drawn(plots::distribution(point)?),
        over_time: drawn(plots::over_time(point)?),
        stages: stages_view(point)?,
        effects: effects_view(&point.effects)?,
    })
}

fn pair_view(a: &str, b: &str, measures: &[Comparison], is_judged: bool) -> Result<PairView> {
    let row = |comparison: &Comparison| MeasureView {
        measure: format!("{}, {}", comparison.measure.name(), comparison.measure.unit()),
        a: figure(comparison.a),
        b: figure(comparison.b),
        difference: interval(&comparison.difference),
        percent: if comparison.a > 0.0 {
            format!(
                "{} %",
                signed(100.0 * comparison.difference.estimate / comparison.a)
            )
        } else {
            String::new()
        },
        margin: format!("±{}", figure(comparison.margin)),
        verdict: if is_judged {
            verdict(a, b, comparison)
        } else {
            "no verdict".to_owned()
        },
        class: match comparison.verdict {
            _ if !is_judged => "open",
            Verdict::ABetter | Verdict::BBetter => "better",
            Verdict::Equivalent => "same",
            Verdict::NotEnoughData { .. } => "open",
        },
    };
    Ok(PairView {
        a: a.to_owned(),
        b: b.to_owned(),
        rows: measures.iter().map(row).collect(),
        plot: drawn(plots::differences(
            &format!("{b} − {a}, with interval and margin"),
            measures,
        )?),
    })
}

fn arm_view(arm: &ArmReport) -> ArmView {
    let at = |share: f64| {
        let quantile = arm
            .quantiles
            .iter()
            .rev()
            .find(|(other, _)| *other <= share + 1e-9);
        figure_or_dash(quantile.map(|(_, latency)| *latency))
    };
    let spec = &arm.arm;
    let reasons = arm
        .failures
        .iter()
        .map(|(reason, votes)| format!("{votes} {reason}"));
    let counted = arm.counted;
    let block = |block: &crate::report::model::BlockReport| {
        [
            (block.round + 1).to_string(),
            figure_or_dash(block.p50),
            figure_or_dash(block.p95),
            figure_or_dash(block.p99),
        ]
    };
    ArmView {
        name: arm.label(),
        way: [
            word(&spec.route),
            word(&spec.version),
            word(&spec.encoding),
            word(&spec.via),
        ]
        .join(", "),
        sent: arm.sent,
        failures: reasons.collect::<Vec<_>>().join(", "),
        latencies: [0.5, 0.9, 0.95, 0.99, 0.999, 1.0].map(at).to_vec(),
        throughput: figure_or_dash(arm.mean(Measure::Throughput)),
        cpu: figure_or_dash(arm.cost.cpu_s_per_million),
        memory: figure_or_dash(arm.cost.memory_mib),
        bytes: [arm.cost.sent_bytes_per_vote(), arm.cost.received_bytes_per_vote()].map(figure),
        counted: [
            counted.map(|counted| counted.mean_ms),
            counted.map(|counted| counted.p50_ms),
            counted.map(|counted| counted.p99_ms),
        ]
        .map(figure_or_dash),
        lag: arm.lag_ms.map(figure),
        blocks: arm.blocks.iter().map(block).collect(),
    }
}

/// A choice as the plan writes it.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice)
        .ok()
        .and_then(|value| Some(value.as_str()?.replace('_', " ")))
        .unwrap_or_default()
}

fn stages_view(point: &PointReport) -> Result<Option<StagesView>> {
    let Some(plot) = plots::stages(point)? else {
        return Ok(None);
    };
    let legend = Stages::NAMES.into_iter().enumerate().map(|(part, name)| Key {
        color: hex(plots::stage_color(part)),
        name: name.to_owned(),
    });
    let timed = point
        .arms
        .iter()
        .filter_map(|arm| Some((arm.label(), arm.stages?)));
    let rows = timed.map(|(name, stages)| {
        let parts = stages.parts().into_iter().chain([stages.client]).map(figure);
        std::iter::once(name)
            .chain(parts)
            .chain([stages.votes.to_string()])
            .collect()
    });
    Ok(Some(StagesView {
        plot: drawn(plot),
        legend: legend.collect(),
        rows: rows.collect(),
    }))
}

fn effects_view(effects: &[Effect]) -> Result<Option<EffectsView>> {
    if effects.is_empty() {
        return Ok(None);
    }
    let row = |effect: &Effect| {
        [
            effect.choice.name().to_owned(),
            effect.contrast.clone(),
            interval(&effect.p50_ms),
            interval(&effect.cpu_s_per_million),
        ]
    };
    Ok(Some(EffectsView {
        plot: drawn(plots::effects(effects)?),
        rows: effects.iter().map(row).collect(),
    }))
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
