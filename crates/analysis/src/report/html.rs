//! The report as a page: a single file without scripts and without network requests, suitable for printing.

use anyhow::{Context, Result};
use experiment_model::design::DesignKind;
use minijinja::{Environment, Value};
use plot::RGBColor;
use serde::Serialize;

use super::answers;
use super::answers::AnswerSheet;
use super::formatting::{interval, number, number_or_dash, signed, verdict};
use super::headline::Decided;
use super::model::{Effect, PointReport, Report, Stages, VariantReport};
use super::questions::{answer, question};
use super::{plots, text};
use crate::comparison::Comparison;
use crate::measure::{BlockReport, Measure};
use crate::stats::verdict::Verdict;

const TEMPLATE: &str = include_str!("page.html");

/// The values of the template. All numbers are already formatted.
#[derive(Debug, Serialize)]
struct Page<'a> {
    report: &'a Report,
    answers: AnswerSheet,
    design: String,
    has_verdict: bool,
    no_verdict_reasons: Vec<&'a str>,
    headline: String,
    /// Why the answers can be trusted, or why there are none.
    certainty: Vec<String>,
    /// CSS class of the box with the headline: `good` if something is decided, `open` otherwise.
    headline_class: &'static str,
    sweeps: Vec<SweepView>,
    points: Vec<PointView>,
    plan: String,
    memory_gib: String,
    calibration: [String; 3],
}

#[derive(Debug, Serialize)]
struct SweepView {
    measure: &'static str,
    plot: Value,
    /// Rows of a table: the sweep's value, then a number for each variant.
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct PointView {
    /// `load.rate = 400`; `None` without a sweep.
    title: Option<String>,
    legend: Vec<LegendEntry>,
    pairs: Vec<PairView>,
    control: PairView,
    has_verdict: bool,
    control_holds: bool,
    control_sentence: String,
    variants: Vec<VariantView>,
    /// Whether any vote was acknowledged. Without one, there is no latency to plot.
    has_latencies: bool,
    quantiles: Value,
    distribution: Value,
    over_time: Value,
    stages: Option<StagesView>,
    effects: Option<EffectsView>,
}

/// A colour and its meaning.
#[derive(Debug, Serialize)]
struct LegendEntry {
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
    question: &'static str,
    answer: String,
    measure: String,
    a: String,
    b: String,
    difference: String,
    percent: String,
    margin: String,
    verdict: String,
    /// CSS class of the verdict: `better`, `same` or `open`.
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct VariantView {
    name: String,
    path: String,
    sent: usize,
    failures: String,
    /// p50, p90, p95, p99, p99.9 and the largest.
    latencies: Vec<String>,
    throughput: String,
    cpu: String,
    memory: String,
    bytes: [String; 2],
    /// Mean, p50, p99.
    counting_delay: [String; 3],
    /// p50, p99 and the largest.
    scheduling_delay: [String; 3],
    /// Round, p50, p95, p99, throughput.
    blocks: Vec<[String; 5]>,
}

#[derive(Debug, Serialize)]
struct StagesView {
    plot: Value,
    legend: Vec<LegendEntry>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct EffectsView {
    plot: Value,
    rows: Vec<[String; 4]>,
}

/// Renders the page of a report.
pub fn page(report: &Report) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    let gib = report.machine.memory_bytes as f64 / f64::from(1 << 30);
    let decided = Decided::of(report);
    let page = Page {
        answers: answers::answer_sheet(report),
        design: text::design(report),
        has_verdict: report.has_verdict(),
        no_verdict_reasons: report.all_no_verdict_reasons().collect(),
        headline: text::headline(report),
        certainty: text::certainty(report),
        headline_class: if decided.decided > 0 { "good" } else { "open" },
        sweeps: sweeps(report)?,
        points: report
            .points
            .iter()
            .map(|point| point_view(report, point))
            .collect::<Result<_>>()?,
        plan: toml::to_string_pretty(&report.plan).context("serializing the plan")?,
        memory_gib: number(gib),
        calibration: [
            number(report.calibration.highest_rate),
            number(report.calibration.overhead_p50_ms),
            number(report.calibration.overhead_p99_ms),
        ],
        report,
    };
    // The file name ending .html enables escaping of all values.
    environment
        .render_named_str("page.html", TEMPLATE, Value::from_serialize(&page))
        .context("rendering the page")
}

fn svg_value(svg: String) -> Value {
    Value::from_safe_string(svg)
}

fn sweeps(report: &Report) -> Result<Vec<SweepView>> {
    let mut views = Vec::new();
    for measure in Measure::ALL {
        let Some(plot) = plots::sweep(report, measure)? else {
            continue;
        };
        let row = |point: &PointReport| -> Vec<String> {
            let values = point
                .variants
                .iter()
                .map(|variant| number_or_dash(variant.location(measure)));
            point.value.iter().cloned().chain(values).collect()
        };
        views.push(SweepView {
            measure: measure.name(),
            plot: svg_value(plot),
            rows: report.points.iter().map(row).collect(),
        });
    }
    Ok(views)
}

fn point_view(report: &Report, point: &PointReport) -> Result<PointView> {
    let has_verdict = report.has_verdict_at(point);
    let title = point.value.as_ref().zip(report.plan.sweep.as_ref());
    let first = point
        .variants
        .first()
        .map(|variant| variant.variant.name.clone())
        .unwrap_or_default();
    let pairs = point.pairs.iter();
    let legend = point
        .variants
        .iter()
        .enumerate()
        .map(|(index, variant)| LegendEntry {
            color: hex(plots::variant_color(index, variant)),
            name: variant.label(),
        });
    Ok(PointView {
        title: title.map(|(value, sweep)| format!("{} = {value}", sweep.key)),
        legend: legend.collect(),
        pairs: pairs
            .map(|pair| pair_view(&pair.a, &pair.b, &pair.comparisons, has_verdict))
            .collect::<Result<_>>()?,
        // The control is decided even if the point has no verdict.
        control: pair_view(&first, &format!("{first} (control)"), &point.control, true)?,
        has_verdict,
        control_holds: point.control_holds,
        control_sentence: text::control(point),
        variants: point.variants.iter().map(variant_view).collect(),
        has_latencies: point.variants.iter().any(|variant| variant.acknowledged > 0),
        quantiles: svg_value(plots::quantiles(point)?),
        distribution: svg_value(plots::distribution(point)?),
        over_time: svg_value(plots::over_time(
            point,
            if report.plan.design.kind == DesignKind::Saturation {
                Measure::Throughput
            } else {
                Measure::P50
            },
        )?),
        stages: stages_view(point)?,
        effects: effects_view(&point.effects)?,
    })
}

fn pair_view(a: &str, b: &str, comparisons: &[Comparison], has_verdict: bool) -> Result<PairView> {
    let row = |comparison: &Comparison| MeasureView {
        question: question(comparison.measure),
        answer: answer(a, b, comparison),
        measure: format!("{}, {}", comparison.measure.name(), comparison.measure.unit()),
        a: number(comparison.a),
        b: number(comparison.b),
        difference: interval(&comparison.difference),
        percent: if comparison.a > 0.0 {
            format!(
                "{} %",
                signed(100.0 * comparison.difference.estimate / comparison.a)
            )
        } else {
            String::new()
        },
        margin: format!("±{}", number(comparison.margin)),
        verdict: if has_verdict {
            verdict(a, b, comparison)
        } else {
            "no verdict".to_owned()
        },
        class: match comparison.verdict {
            _ if !has_verdict => "open",
            Verdict::ABetter | Verdict::BBetter => "better",
            Verdict::Equivalent => "same",
            Verdict::NotEnoughData { .. } => "open",
        },
    };
    Ok(PairView {
        a: a.to_owned(),
        b: b.to_owned(),
        rows: comparisons.iter().map(row).collect(),
        plot: svg_value(plots::differences(
            &format!("{b} − {a}, with interval and margin"),
            comparisons,
        )?),
    })
}

fn variant_view(report: &VariantReport) -> VariantView {
    let at = |share: f64| {
        let quantile = report
            .quantiles
            .iter()
            .rev()
            .find(|(other, _)| *other <= share + 1e-9);
        number_or_dash(quantile.map(|(_, latency)| *latency))
    };
    let variant = &report.variant;
    let reasons = report
        .failures
        .iter()
        .map(|(reason, votes)| format!("{votes} {reason}"));
    let delay = report.counting_delay;
    let block = |block: &BlockReport| {
        [
            (block.round + 1).to_string(),
            number_or_dash(block.p50),
            number_or_dash(block.p95),
            number_or_dash(block.p99),
            number_or_dash(block.throughput),
        ]
    };
    VariantView {
        name: report.label(),
        path: [
            name_in_plan(&variant.route),
            name_in_plan(&variant.version),
            name_in_plan(&variant.encoding),
            name_in_plan(&variant.via),
        ]
        .join(", "),
        sent: report.sent,
        failures: reasons.collect::<Vec<_>>().join(", "),
        latencies: [0.5, 0.9, 0.95, 0.99, 0.999, 1.0].map(at).to_vec(),
        throughput: number_or_dash(report.location(Measure::Throughput)),
        cpu: number_or_dash(report.cost.cpu_s_per_million),
        memory: number_or_dash(report.cost.memory_mib),
        bytes: [
            report.cost.sent_bytes_per_vote(),
            report.cost.received_bytes_per_vote(),
        ]
        .map(number_or_dash),
        counting_delay: [
            delay.map(|delay| delay.mean_ms),
            delay.map(|delay| delay.p50_ms),
            delay.map(|delay| delay.p99_ms),
        ]
        .map(number_or_dash),
        scheduling_delay: report.scheduling_delay_ms.map(number),
        blocks: report.blocks.iter().map(block).collect(),
    }
}

/// The name of a value in a plan.
fn name_in_plan(choice: &impl Serialize) -> String {
    serde_json::to_value(choice)
        .ok()
        .and_then(|value| Some(value.as_str()?.replace('_', " ")))
        .unwrap_or_default()
}

fn stages_view(point: &PointReport) -> Result<Option<StagesView>> {
    let Some(plot) = plots::stages(point)? else {
        return Ok(None);
    };
    let legend = Stages::NAMES
        .into_iter()
        .enumerate()
        .map(|(part, name)| LegendEntry {
            color: hex(plots::stage_color(part)),
            name: name.to_owned(),
        });
    let timed = point
        .variants
        .iter()
        .filter_map(|variant| Some((variant.label(), variant.stages?)));
    let rows = timed.map(|(name, stages)| {
        let parts = stages.parts().into_iter().chain([stages.client]).map(number);
        std::iter::once(name)
            .chain(parts)
            .chain([stages.votes.to_string()])
            .collect()
    });
    Ok(Some(StagesView {
        plot: svg_value(plot),
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
        plot: svg_value(plots::effects(effects)?),
        rows: effects.iter().map(row).collect(),
    }))
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
