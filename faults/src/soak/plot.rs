//! Draws memory over time as an SVG.

use anyhow::Result;
use plot::{Axis, Layer, Plot, Shape, WHITE, color};

use super::memory::{Memory, SERVERS};

/// Draws the resident memory of each process, MiB over minutes.
pub(super) fn svg(memory: &Memory) -> Result<String> {
    let minutes = |time: &std::time::Duration| time.as_secs_f64() / 60.0;
    let end = memory.samples.last().map_or(1.0, |(time, _)| minutes(time));
    let highest = memory
        .samples
        .iter()
        .flat_map(|(_, sample)| sample)
        .copied()
        .fold(1.0, f64::max);
    let layers = SERVERS.into_iter().enumerate().map(|(index, server)| {
        let points = memory
            .samples
            .iter()
            .filter_map(|(time, sample)| Some((minutes(time), *sample.get(index)?)));
        Layer {
            name: Some(server.name().to_owned()),
            color: color(index),
            shape: Shape::Line(points.collect()),
        }
    });
    Plot {
        title: "Resident memory of each process over time".to_owned(),
        x: Axis::linear("minutes", 0.0..end),
        // Leaves space for the legend above the lines.
        y: Axis::linear("resident memory, MiB", 0.0..highest * 1.6),
        height: 320,
        layers: layers.collect(),
        background: Some(WHITE),
    }
    .svg()
}
