//! The plots of a report.

use std::ops::Range;

use anyhow::Result;
use plot::{Axis, GREY, Layer, Plot, RGBColor, Shape, color};

use super::model::{Effect, PointReport, Report, Stages, VariantReport};
use crate::comparison::Comparison;
use crate::measure::Measure;

/// Height of a plot with curves, in pixels.
const CURVES_HEIGHT: u32 = 360;
/// Height of a row of bars or intervals, in pixels.
const ROW_HEIGHT: u32 = 34;
/// Height above and below the rows together, in pixels.
const ROWS_PADDING: u32 = 80;

/// The colour of the `index`th variant of a point in all plots.
pub fn variant_color(index: usize, variant: &VariantReport) -> RGBColor {
    if variant.is_control { GREY } else { color(index) }
}

/// Latency by the share of votes answered within it, with an expanded tail.
pub fn quantiles(point: &PointReport) -> Result<String> {
    let largest_count = point.variants.iter().map(|variant| variant.acknowledged).max();
    let layers = variant_layers(point, |variant| {
        let finite = variant.quantiles.iter().filter(|(share, _)| *share < 1.0);
        let mut points: Vec<_> = finite
            .map(|&(share, latency)| (1.0 / (1.0 - share), latency))
            .collect();
        if let Some(&(_, largest)) = variant.quantiles.last() {
            points.push((variant.acknowledged as f64, largest));
        }
        Shape::Line(points)
    });
    Plot {
        title: "Latency by the share of votes answered within it".to_owned(),
        x: Axis::tail("share of votes answered within", largest_count.unwrap_or(0)),
        y: Axis::log("latency, ms", latencies(point)),
        height: CURVES_HEIGHT,
        layers,
        background: None,
    }
    .svg()
}

/// The share of votes answered within a latency.
pub fn distribution(point: &PointReport) -> Result<String> {
    let layers = variant_layers(point, |variant| {
        Shape::Line(
            variant
                .quantiles
                .iter()
                .map(|&(share, latency)| (latency, share * 100.0))
                .collect(),
        )
    });
    Plot {
        title: "Share of votes answered within a latency".to_owned(),
        x: Axis::log("latency, ms", latencies(point)),
        y: Axis::linear("% of votes", 0.0..100.0),
        height: CURVES_HEIGHT,
        layers,
        background: None,
    }
    .svg()
}

/// A measure of each block over the time of the run; it shows drift.
pub fn over_time(point: &PointReport, measure: Measure) -> Result<String> {
    let values = |variant: &VariantReport| -> Vec<(f64, f64)> {
        let blocks = variant.blocks.iter();
        blocks
            .filter_map(|block| Some((block.started_s, measure.of(block)?)))
            .collect()
    };
    let all: Vec<(f64, f64)> = point.variants.iter().flat_map(values).collect();
    let (first, last) = min_and_max(all.iter().map(|(time, _)| *time));
    let (_, highest) = min_and_max(all.iter().map(|(_, value)| *value));
    let (name, unit) = (measure.name(), measure.unit());
    Plot {
        title: format!("{name} of each block over time"),
        x: Axis::linear("seconds since the start of the run", first - 1.0..last + 1.0),
        y: Axis::linear(&format!("{name}, {unit}"), 0.0..highest * 1.15),
        height: CURVES_HEIGHT,
        layers: variant_layers(point, |variant| Shape::Dots(values(variant))),
        background: None,
    }
    .svg()
}

/// Mean stage times of a vote: one bar for each variant. `None` if no vote requested them.
pub fn stages(point: &PointReport) -> Result<Option<String>> {
    let timed = point
        .variants
        .iter()
        .filter_map(|variant| Some((variant.label(), variant.stages?)));
    // Reversed, because the first row of a plot is at the bottom.
    let timed: Vec<(String, Stages)> = timed.collect::<Vec<_>>().into_iter().rev().collect();
    if timed.is_empty() {
        return Ok(None);
    }
    let mut layers = Vec::new();
    for (row, (_, stages)) in timed.iter().enumerate() {
        let mut from = 0.0;
        for (part, time) in stages.parts().into_iter().enumerate() {
            let to = from + time.max(0.0);
            layers.push(layer(
                stage_color(part),
                Shape::Bar((from, row as f64 - 0.32), (to, row as f64 + 0.32)),
            ));
            from = to;
        }
    }
    let (_, longest) = min_and_max(timed.iter().map(|(_, stages)| stages.client));
    let names: Vec<String> = timed.into_iter().map(|(name, _)| name).collect();
    let plot = Plot {
        title: "Mean stage times of a vote".to_owned(),
        x: Axis::linear("mean time of a vote, ms", 0.0..longest * 1.05),
        y: Axis::names("", &names),
        height: rows(names.len()),
        layers,
        background: None,
    };
    plot.svg().map(Some)
}

/// The colour of the `part`th stage, in the order of [`Stages::NAMES`].
pub fn stage_color(part: usize) -> RGBColor {
    // Time outside all stages is grey.
    if part + 1 == Stages::NAMES.len() {
        GREY
    } else {
        color(part)
    }
}

/// The difference of each measure with its interval and its margin, as a share of the first variant's value.
pub fn differences(title: &str, comparisons: &[Comparison]) -> Result<String> {
    let percent = |value: f64, comparison: &Comparison| 100.0 * value / comparison.a;
    let shown: Vec<&Comparison> = comparisons
        .iter()
        .rev()
        .filter(|comparison| comparison.a > 0.0)
        .collect();
    let mut layers = Vec::new();
    for (row, comparison) in shown.iter().enumerate() {
        let (row, margin) = (row as f64, percent(comparison.margin, comparison));
        let verdict = if comparison.differs() { color(1) } else { color(0) };
        let [low, estimate, high] = [
            comparison.difference.low,
            comparison.difference.estimate,
            comparison.difference.high,
        ]
        .map(|value| percent(value, comparison));
        layers.push(layer(
            GREY,
            Shape::Band((-margin, row - 0.4), (margin, row + 0.4)),
        ));
        layers.extend(whisker(verdict, row, [low, estimate, high]));
    }
    let names: Vec<String> = shown
        .iter()
        .map(|comparison| comparison.measure.name().to_owned())
        .collect();
    let edges = shown.iter().flat_map(|comparison| {
        let Comparison {
            difference, margin, ..
        } = comparison;
        [difference.low, difference.high, -margin, *margin].map(|value| percent(value, comparison))
    });
    forest_plot(
        title,
        "difference, % of the first variant's value",
        &names,
        edges.collect(),
        layers,
    )
}

/// The effect of each choice on the median latency.
pub fn effects(effects: &[Effect]) -> Result<String> {
    let mut layers = Vec::new();
    for (row, effect) in effects.iter().rev().enumerate() {
        let ends = [effect.p50_ms.low, effect.p50_ms.estimate, effect.p50_ms.high];
        layers.extend(whisker(color(0), row as f64, ends));
    }
    let names: Vec<String> = effects
        .iter()
        .rev()
        .map(|effect| effect.choice.name().to_owned())
        .collect();
    let edges = effects
        .iter()
        .flat_map(|effect| [effect.p50_ms.low, effect.p50_ms.high]);
    forest_plot(
        "Effect of each choice on the median latency",
        "change of the median latency, ms",
        &names,
        edges.collect(),
        layers,
    )
}

/// A measure of each variant along the sweep, with the positions at which a verdict on it changes. `None` without a sweep.
pub fn sweep(report: &Report, measure: Measure) -> Result<Option<String>> {
    let (Some(first), Some(sweep)) = (report.points.first(), &report.plan.sweep) else {
        return Ok(None);
    };
    let values: Vec<String> = report
        .points
        .iter()
        .filter_map(|point| point.value.clone())
        .collect();
    let curve = |index: usize| -> Vec<(f64, f64)> {
        let points = report.points.iter().enumerate();
        points
            .filter_map(|(position, point)| {
                Some((position as f64, point.variants.get(index)?.location(measure)?))
            })
            .collect()
    };
    let curves: Vec<Vec<(f64, f64)>> = (0..first.variants.len()).map(curve).collect();
    let (lowest, highest) = min_and_max(curves.iter().flatten().map(|(_, value)| *value));
    if lowest <= 0.0 || values.len() < 2 {
        return Ok(None);
    }
    let range = lowest * 0.8..highest * 1.25;
    let position_of = |value: &String| {
        values
            .iter()
            .position(|other| other == value)
            .map(|position| position as f64)
    };
    let changes = report.changes.iter().filter(|change| change.measure == measure);
    let mut layers: Vec<Layer> = changes
        .filter_map(|change| {
            let (from, to) = (position_of(&change.from)?, position_of(&change.to)?);
            Some(layer(GREY, Shape::Band((from, range.start), (to, range.end))))
        })
        .collect();
    for ((index, variant), points) in first.variants.iter().enumerate().zip(curves) {
        layers.push(layer(variant_color(index, variant), Shape::Line(points.clone())));
        layers.push(layer(variant_color(index, variant), Shape::Dots(points)));
    }
    let unit = measure.unit();
    let plot = Plot {
        title: format!("{} along the sweep", measure.name()),
        x: Axis::names(&sweep.key.to_string(), &values),
        y: Axis::log(&format!("{}, {unit}", measure.name()), range),
        height: CURVES_HEIGHT,
        layers,
        background: None,
    };
    plot.svg().map(Some)
}

fn forest_plot(
    title: &str,
    x_title: &str,
    names: &[String],
    edges: Vec<f64>,
    mut layers: Vec<Layer>,
) -> Result<String> {
    let (low, high) = min_and_max(edges.into_iter().chain([0.0]));
    let room = ((high - low) * 0.06).max(0.01);
    let zero = Shape::Line(vec![(0.0, -0.5), (0.0, names.len() as f64 - 0.5)]);
    layers.insert(0, layer(GREY, zero));
    Plot {
        title: title.to_owned(),
        x: Axis::linear(x_title, low - room..high + room),
        y: Axis::names("", names),
        height: rows(names.len()),
        layers,
        background: None,
    }
    .svg()
}

fn whisker(color: RGBColor, row: f64, [low, estimate, high]: [f64; 3]) -> [Layer; 2] {
    [
        layer(color, Shape::Line(vec![(low, row), (high, row)])),
        layer(color, Shape::Dots(vec![(estimate, row)])),
    ]
}

/// A layer for each variant with acknowledged votes. The page's legend has the names.
fn variant_layers(point: &PointReport, shape: impl Fn(&VariantReport) -> Shape) -> Vec<Layer> {
    let variants = point
        .variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.acknowledged > 0);
    // The control goes below the other layers, because it is less important.
    let mut layers: Vec<(bool, Layer)> = variants
        .map(|(index, variant)| {
            (
                !variant.is_control,
                layer(variant_color(index, variant), shape(variant)),
            )
        })
        .collect();
    layers.sort_by_key(|(is_compared, _)| *is_compared);
    layers.into_iter().map(|(_, layer)| layer).collect()
}

fn layer(color: RGBColor, shape: Shape) -> Layer {
    Layer {
        name: None,
        color,
        shape,
    }
}

fn rows(count: usize) -> u32 {
    ROWS_PADDING + ROW_HEIGHT * count as u32
}

/// The range of an axis of latencies, slightly wider than the latencies; a default range without votes.
fn latencies(point: &PointReport) -> Range<f64> {
    let all = point.variants.iter().flat_map(|variant| &variant.quantiles);
    let (low, high) = min_and_max(all.map(|(_, latency)| *latency).filter(|latency| *latency > 0.0));
    low * 0.8..high * 1.25
}

/// The smallest and the largest value; 1 and 2 without values.
fn min_and_max(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .map(|value| (value, value))
        .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
        .unwrap_or((1.0, 2.0))
}
