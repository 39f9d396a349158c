//! Plots as SVG, for the reports of the demo, the fault suite and the comparison.
//!
//! Lines, text and ticks are black and the ground is left out, so that a page's style sheet can turn them:
//! `svg text { fill: … } svg [stroke="#000000"] { stroke: … }`.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
pub use plotters::style::{RGBColor, WHITE};

const WIDTH: u32 = 860;
const FONT: (&str, u32) = ("sans-serif", 14);
/// Width of a character of that font, about, in pixels.
const CHARACTER: usize = 7;

/// Two axes and what lies between them.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows, for those who do not see it.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// In pixels; the width is that of a page.
    pub height: u32,
    /// From the one below to the one on top.
    pub layers: Vec<Layer>,
    /// A ground of this colour, for a file that is shown without a style sheet.
    pub ground: Option<RGBColor>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Quantity and unit.
    pub title: String,
    /// What it reaches over.
    pub range: Range<f64>,
    /// How it gets there.
    pub scale: Scale,
    /// The text at a tick.
    pub label: fn(f64) -> String,
}

/// How values are placed along an axis.
#[derive(Clone, Debug)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; the range must be positive.
    Log,
    /// Names at 0, 1, 2 and so on.
    Names(Vec<String>),
}

/// Something drawn.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its name in the plot's legend; None leaves it out.
    pub name: Option<String>,
    /// Its colour.
    pub color: RGBColor,
    /// Its form.
    pub mark: Mark,
}

/// The form of something drawn, in the values of both axes.
#[derive(Clone, Debug)]
pub enum Mark {
    /// From point to point.
    Line(Vec<(f64, f64)>),
    /// Each by itself.
    Dots(Vec<(f64, f64)>),
    /// A rectangle between two corners.
    Bar((f64, f64), (f64, f64)),
    /// The same, pale, for what lies behind.
    Band((f64, f64), (f64, f64)),
}

/// Okabe and Ito's palette: told apart with any colour vision, on white and on black.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// For what is not among the compared.
pub const GREY: RGBColor = RGBColor(128, 128, 128);

/// The colour of the `index`th thing of a plot; after six they come again.
pub fn color(index: usize) -> RGBColor {
    PALETTE.get(index % PALETTE.len()).copied().unwrap_or(GREY)
}

impl Axis {
    /// From `range`'s start to its end, evenly.
    pub fn linear(title: &str, range: Range<f64>) -> Self {
        Self {
            title: title.to_owned(),
            range,
            scale: Scale::Linear,
            label: short,
        }
    }

    /// The same by logarithm.
    pub fn log(title: &str, range: Range<f64>) -> Self {
        Self {
            scale: Scale::Log,
            ..Self::linear(title, range)
        }
    }

    /// Names at 0, 1, 2 and so on.
    pub fn names(title: &str, names: &[String]) -> Self {
        Self {
            scale: Scale::Names(names.to_vec()),
            ..Self::linear(title, -0.5..names.len() as f64 - 0.5)
        }
    }

    /// Shares of 0 up to all but one of `votes`, the nearer to 1 the wider: values are 1 / (1 - share).
    pub fn tail(title: &str, votes: usize) -> Self {
        Self {
            label: |x| format!("{} %", short(100.0 * (1.0 - 1.0 / x))),
            ..Self::log(title, 1.0..(votes as f64).max(10.0))
        }
    }

    fn text(&self, value: f64) -> String {
        match &self.scale {
            Scale::Names(names) => names.get(value as usize).cloned().unwrap_or_default(),
            Scale::Linear | Scale::Log => (self.label)(value),
        }
    }

    /// Room for labels beside a vertical axis, in pixels.
    fn room(&self) -> u32 {
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
        let place = |value: f64| match self.scale {
            Scale::Log => value.max(f64::MIN_POSITIVE).ln(),
            Scale::Linear | Scale::Names(_) => value,
        };
        let (start, end) = (place(self.range.start), place(self.range.end));
        let share = (place(*value) - start) / (end - start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let most = hint.max_num_points().max(1);
        match &self.scale {
            Scale::Linear => even_ticks(&self.range, most),
            Scale::Log => log_ticks(&self.range, most),
            Scale::Names(names) => (0..names.len()).map(|index| index as f64).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// At most `most` multiples of 1, 2 or 5 times a power of ten.
fn even_ticks(range: &Range<f64>, most: usize) -> Vec<f64> {
    let narrowest = (range.end - range.start) / most as f64;
    let power = 10_f64.powf(narrowest.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|digit| digit * power);
    let step = step
        .into_iter()
        .find(|step| *step >= narrowest)
        .unwrap_or(10.0 * power);
    let (first, last) = (
        (range.start / step).ceil() as i64,
        (range.end / step).floor() as i64,
    );
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Powers of ten, and with few of them twice and five times each as well.
fn log_ticks(range: &Range<f64>, most: usize) -> Vec<f64> {
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
    if fine.len() <= most.min(6) {
        fine
    } else {
        within(&[1.0])
    }
}

/// At most four decimals, and no zeros at the end.
pub fn short(value: f64) -> String {
    ((value * 10_000.0).round() / 10_000.0).to_string()
}

impl Plot {
    /// Draws it.
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
        if let Some(ground) = &self.ground {
            area.fill(ground)?;
        }
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(self.y.room())
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
            let drawn = match &layer.mark {
                Mark::Line(points) => {
                    chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
                }
                Mark::Dots(points) => {
                    chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, color.filled())))?
                }
                Mark::Bar(from, to) => chart.draw_series([Rectangle::new([*from, *to], color.filled())])?,
                Mark::Band(from, to) => {
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
    fn ticks_are_round_and_within() {
        assert_eq!(even_ticks(&(0.0..4.0), 5), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(even_ticks(&(-7.0..13.0), 4), [-5.0, 0.0, 5.0, 10.0]);
        assert_eq!(log_ticks(&(0.9..12.0), 10), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(
            log_ticks(&(0.9..12_000.0), 10),
            [1.0, 10.0, 100.0, 1_000.0, 10_000.0]
        );
        assert_eq!(short(0.600_000_000_000_000_1), "0.6");
    }

    #[test]
    fn each_scale_places_its_ends() {
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
    fn a_plot_has_a_title_and_names_what_it_shows() {
        let layer = |name: &str, mark| Layer {
            name: Some(name.to_owned()),
            color: color(0),
            mark,
        };
        let plot = Plot {
            title: "a \"title\" <b>".to_owned(),
            x: Axis::tail("share", 1_000),
            y: Axis::names("", &["first".to_owned()]),
            height: 200,
            layers: vec![
                layer("a line", Mark::Line(vec![(1.0, 0.0), (100.0, 0.0)])),
                layer("nothing", Mark::Dots(vec![])),
                layer("a bar", Mark::Bar((1.0, -0.4), (10.0, 0.4))),
            ],
            ground: None,
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
