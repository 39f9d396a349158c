//! SVG plots for the reports of the demo, the fault suite and the comparison.
//!
//! Axes, text and ticks are black on a transparent background, so that the style sheet of a page can change their colours:
//! `svg text { fill: … } svg [stroke="#000000"] { stroke: … }`.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
pub use plotters::style::{RGBColor, WHITE};

const WIDTH: u32 = 860;
const FONT: (&str, u32) = ("sans-serif", 14);
/// Approximate width of a character of [`FONT`], in pixels.
const CHARACTER: usize = 7;

/// A plot with two axes and any number of layers.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The description of the plot: its accessible name for screen readers.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Height in pixels; the width is fixed.
    pub height: u32,
    /// The layers, from bottom to top.
    pub layers: Vec<Layer>,
    /// The background colour; `None` is transparent. Set it for a file that is shown without a style sheet.
    pub background: Option<RGBColor>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Quantity and unit.
    pub title: String,
    /// The first and the last value.
    pub range: Range<f64>,
    /// The mapping from values to positions.
    pub scale: Scale,
    /// Formats the label of a tick.
    pub label: fn(f64) -> String,
}

/// The mapping from values to positions on an axis.
#[derive(Clone, Debug)]
pub enum Scale {
    /// Linear.
    Linear,
    /// Logarithmic; the range must be positive.
    Log,
    /// Categories at the values 0, 1, 2 and so on.
    Names(Vec<String>),
}

/// One data series or shape of a plot.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The name in the legend; `None` omits the layer from the legend.
    pub name: Option<String>,
    /// The colour.
    pub color: RGBColor,
    /// The geometry.
    pub shape: Shape,
}

/// The geometry of a layer. Coordinates are `(x, y)` values of the axes.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through these points.
    Line(Vec<(f64, f64)>),
    /// A dot at each of these points.
    Dots(Vec<(f64, f64)>),
    /// A filled rectangle between two opposite corners.
    Bar((f64, f64), (f64, f64)),
    /// A pale rectangle between two opposite corners, as background of other layers.
    Band((f64, f64), (f64, f64)),
}

/// The palette of Okabe and Ito: distinguishable with every kind of colour vision, on white and on black.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// The neutral colour, for elements that are not part of a comparison.
pub const GREY: RGBColor = RGBColor(128, 128, 128);

/// The colour of the series `index` (from 0). The six colours repeat.
pub fn color(index: usize) -> RGBColor {
    PALETTE.get(index % PALETTE.len()).copied().unwrap_or(GREY)
}

impl Axis {
    /// A linear axis.
    pub fn linear(title: &str, range: Range<f64>) -> Self {
        Self {
            title: title.to_owned(),
            range,
            scale: Scale::Linear,
            label: format_short,
        }
    }

    /// A logarithmic axis.
    pub fn log(title: &str, range: Range<f64>) -> Self {
        Self {
            scale: Scale::Log,
            ..Self::linear(title, range)
        }
    }

    /// An axis of categories at the values 0, 1, 2 and so on.
    pub fn names(title: &str, names: &[String]) -> Self {
        Self {
            scale: Scale::Names(names.to_vec()),
            ..Self::linear(title, -0.5..names.len() as f64 - 0.5)
        }
    }

    /// An axis of shares that magnifies those near 100 %: the value of a share is 1 / (1 - share). The axis ends
    /// at the share 1 - 1 / `votes`.
    pub fn tail(title: &str, votes: usize) -> Self {
        Self {
            label: |x| format!("{} %", format_short(100.0 * (1.0 - 1.0 / x))),
            ..Self::log(title, 1.0..(votes as f64).max(10.0))
        }
    }

    fn text(&self, value: f64) -> String {
        match &self.scale {
            Scale::Names(names) => names.get(value as usize).cloned().unwrap_or_default(),
            Scale::Linear | Scale::Log => (self.label)(value),
        }
    }

    /// The width of the labels of a vertical axis, in pixels.
    fn label_width(&self) -> u32 {
        let longest = match &self.scale {
            Scale::Names(names) => names.iter().map(|name| name.chars().count()).max().unwrap_or(0),
            Scale::Linear | Scale::Log => 0,
        };
        (longest * CHARACTER + 28).max(64) as u32
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let transform = |value: f64| match self.scale {
            Scale::Log => value.max(f64::MIN_POSITIVE).ln(),
            Scale::Linear | Scale::Names(_) => value,
        };
        let (start, end) = (transform(self.range.start), transform(self.range.end));
        let share = (transform(*value) - start) / (end - start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let max_ticks = hint.max_num_points().max(1);
        match &self.scale {
            Scale::Linear => linear_ticks(&self.range, max_ticks),
            Scale::Log => log_ticks(&self.range, max_ticks),
            Scale::Names(names) => (0..names.len()).map(|index| index as f64).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// Returns at most `max_ticks` ticks. Their distance is 1, 2 or 5 times a power of ten.
fn linear_ticks(range: &Range<f64>, max_ticks: usize) -> Vec<f64> {
    let min_step = (range.end - range.start) / max_ticks as f64;
    let power = 10_f64.powf(min_step.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|digit| digit * power);
    let step = step
        .into_iter()
        .find(|step| *step >= min_step)
        .unwrap_or(10.0 * power);
    let (first, last) = (
        (range.start / step).ceil() as i64,
        (range.end / step).floor() as i64,
    );
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Returns the powers of ten. Also returns twice and five times each power if the result then has at most
/// six ticks, and at most `max_ticks`.
fn log_ticks(range: &Range<f64>, max_ticks: usize) -> Vec<f64> {
    let (first, last) = (
        range.start.log10().floor() as i32,
        range.end.log10().ceil() as i32,
    );
    let within = |digits: &[f64]| -> Vec<f64> {
        let powers = (first..=last).map(|power| 10_f64.powi(power));
        let ticks = powers.flat_map(|power| digits.iter().map(move |digit| digit * power));
        ticks
            .filter(|tick| (range.start..=range.end).contains(tick))
            .collect()
    };
    let fine = within(&[1.0, 2.0, 5.0]);
    if fine.len() <= max_ticks.min(6) {
        fine
    } else {
        within(&[1.0])
    }
}

/// Formats a number with at most four decimals and without trailing zeros.
pub fn format_short(value: f64) -> String {
    ((value * 10_000.0).round() / 10_000.0).to_string()
}

impl Plot {
    /// Draws the plot as an SVG element.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg)
            .map_err(|error| anyhow!("drawing \"{}\": {error}", self.title))?;
        let escaped = self
            .title
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;");
        Ok(svg.replacen(
            "<svg ",
            &format!("<svg role=\"img\" aria-label=\"{escaped}\" "),
            1,
        ))
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(svg, (WIDTH, self.height)).into_drawing_area();
        if let Some(background) = &self.background {
            area.fill(background)?;
        }
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(self.y.label_width())
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GREY.mix(0.3))
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .label_style(FONT)
            .x_label_formatter(&|x| self.x.text(*x))
            .y_label_formatter(&|y| self.y.text(*y))
            .draw()?;
        for layer in &self.layers {
            let color = layer.color;
            let drawn = match &layer.shape {
                Shape::Line(points) => {
                    chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
                }
                Shape::Dots(points) => {
                    chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, color.filled())))?
                }
                Shape::Bar(from, to) => chart.draw_series([Rectangle::new([*from, *to], color.filled())])?,
                Shape::Band(from, to) => {
                    chart.draw_series([Rectangle::new([*from, *to], color.mix(0.2).filled())])?
                }
            };
            if let Some(name) = &layer.name {
                drawn
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            }
        }
        if self.layers.iter().any(|layer| layer.name.is_some()) {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .label_font(FONT)
                .draw()?;
        }
        Ok(area.present()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(linear_ticks(&(0.0..4.0), 5), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(linear_ticks(&(-7.0..13.0), 4), [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(log_ticks(&(0.9..12.0), 10), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(
            log_ticks(&(0.9..12_000.0), 10),
            [1.0, 10.0, 100.0, 1_000.0, 10_000.0]
        );
        assert_eq!(format_short(0.600_000_000_000_000_1), "0.6");
    }

    #[test]
    fn every_scale_maps_the_ends_of_its_range_to_the_ends_of_the_axis() {
        let axes = [
            Axis::linear("", -1.0..3.0),
            Axis::log("", 0.1..100.0),
            Axis::names("", &["a".to_owned(), "b".to_owned()]),
        ];
        for axis in axes {
            let Range { start, end } = axis.range();
            assert_eq!(
                (axis.map(&start, (10, 90)), axis.map(&end, (10, 90))),
                (10, 90),
                "{axis:?}"
            );
        }
        assert_eq!(Axis::log("", 0.1..10.0).map(&1.0, (0, 100)), 50);
    }

    #[test]
    fn svg_contains_the_title_the_tick_labels_and_the_legend() {
        let layer = |name: &str, shape| Layer {
            name: Some(name.to_owned()),
            color: color(0),
            shape,
        };
        let plot = Plot {
            title: "a \"title\" <b>".to_owned(),
            x: Axis::tail("share", 1_000),
            y: Axis::names("", &["first".to_owned()]),
            height: 200,
            layers: vec![
                layer("a line", Shape::Line(vec![(1.0, 0.0), (100.0, 0.0)])),
                layer("nothing", Shape::Dots(vec![])),
                layer("a bar", Shape::Bar((1.0, -0.4), (10.0, 0.4))),
            ],
            background: None,
        };
        let svg = plot.svg().unwrap();
        for part in [
            "aria-label=\"a &quot;title&quot; &lt;b>\"",
            "90 %",
            "99 %",
            "first",
            "a line",
            "#0072B2",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }
}
