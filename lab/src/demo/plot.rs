//! The latency plot: quantiles of each route, both axes logarithmic, as inline SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use vote::Route;

use super::ledger::quantile;

const SIZE: (u32, u32) = (860, 420);
/// Points of a curve: enough for a line that looks smooth.
const POINTS: u32 = 200;

/// Draws `latencies` (milliseconds, ascending) of each route. The page's style sheet recolours black and text.
pub(super) fn latency_svg(latencies: &[(Route, Vec<f64>)]) -> Result<String> {
    let mut svg = String::new();
    draw(&mut svg, latencies).map_err(|error| anyhow!("drawing the latency plot: {error}"))?;
    Ok(svg)
}

fn draw(svg: &mut String, latencies: &[(Route, Vec<f64>)]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let all = || latencies.iter().flat_map(|(_, values)| values.iter().copied());
    let lowest = all().fold(f64::INFINITY, f64::min);
    let highest = all().fold(0.0, f64::max);
    if highest <= 0.0 {
        return Ok(area.present()?);
    }
    let most = latencies
        .iter()
        .map(|(_, values)| values.len())
        .max()
        .unwrap_or(1);
    // x is 1 / (1 - quantile): 10 is p90, 100 is p99; the last point of n values is at n.
    let x_axis = (1.0..(most as f64).max(10.0)).log_scale();
    let y_axis = (lowest * 0.8..highest * 1.25).log_scale();
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(x_axis, y_axis)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(128, 128, 128).mix(0.3))
        .x_desc("share of votes answered within")
        .y_desc("latency, ms")
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|x| format!("{} %", round(100.0 * (1.0 - 1.0 / x))))
        .y_label_formatter(&|y| round(*y).to_string())
        .draw()?;
    for (route, values) in latencies.iter().filter(|(_, values)| !values.is_empty()) {
        let color = color(*route);
        chart
            .draw_series(LineSeries::new(curve(values), color.stroke_width(2)))?
            .label(route.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(area.present()?)
}

fn curve(ascending: &[f64]) -> Vec<(f64, f64)> {
    let end = ascending.len() as f64;
    let position = |step: u32| end.powf(f64::from(step) / f64::from(POINTS));
    (0..=POINTS)
        .map(position)
        .filter_map(|x| Some((x, quantile(ascending, 1.0 - 1.0 / x)?)))
        .collect()
}

/// At most four decimals, and no zeros at the end.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Okabe and Ito's palette: told apart with any colour vision, on white and on black.
const fn color(route: Route) -> RGBColor {
    match route {
        Route::Rest => RGBColor(0, 114, 178),
        Route::Grpc => RGBColor(213, 94, 0),
        Route::Bridge => RGBColor(0, 158, 115),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_with_votes_has_a_curve() {
        let values: Vec<f64> = (1..500).map(|value| f64::from(value) / 10.0).collect();
        let svg = latency_svg(&[
            (Route::Rest, values.clone()),
            (Route::Grpc, vec![]),
            (Route::Bridge, values),
        ])
        .unwrap();
        assert!(
            svg.contains("#0072B2") && svg.contains("#009E73") && !svg.contains("#D55E00"),
            "{svg}"
        );
        assert!(svg.contains("90 %") && svg.contains("99 %"), "{svg}");
    }

    #[test]
    fn no_votes_and_one_vote_can_be_drawn() {
        assert!(latency_svg(&[(Route::Rest, vec![])]).is_ok());
        assert!(latency_svg(&[(Route::Rest, vec![1.0])]).is_ok());
    }
}
