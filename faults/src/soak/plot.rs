//! Memory over time as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::memory::{Memory, SERVERS};

const SIZE: (u32, u32) = (860, 320);
/// Okabe and Ito's palette: told apart with any colour vision.
const COLORS: [RGBColor; SERVERS.len()] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Draws the resident memory of each process, MiB over minutes.
pub(super) fn svg(memory: &Memory) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, memory).map_err(|error| anyhow!("drawing the plot: {error}"))?;
    Ok(svg)
}

fn draw(svg: &mut String, memory: &Memory) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let minutes = |time: &std::time::Duration| time.as_secs_f64() / 60.0;
    let end = memory.samples.last().map_or(1.0, |(time, _)| minutes(time));
    let highest = memory
        .samples
        .iter()
        .flat_map(|(_, sample)| sample)
        .copied()
        .fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..highest * 1.2)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("minutes")
        .y_desc("resident memory, MiB")
        .label_style(("sans-serif", 14))
        .draw()?;
    for (index, (server, color)) in SERVERS.into_iter().zip(COLORS).enumerate() {
        let points = memory
            .samples
            .iter()
            .filter_map(|(time, sample)| Some((minutes(time), *sample.get(index)?)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(server.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(area.present()?)
}
