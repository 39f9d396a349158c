//! The latency plot: quantiles of each route, both axes logarithmic.

use anyhow::Result;
use vote::Route;

use super::ledger::quantile;
use plot::{Axis, Layer, Mark, Plot, color};

/// Points of a curve: enough for a line that looks smooth.
const POINTS: u32 = 200;

/// Draws `latencies` (milliseconds, ascending) of each route; nothing if there are none.
pub(super) fn latency_svg(latencies: &[(Route, Vec<f64>)]) -> Result<String> {
    let all = || latencies.iter().flat_map(|(_, values)| values.iter().copied());
    let lowest = all().fold(f64::INFINITY, f64::min);
    let highest = all().fold(0.0, f64::max);
    if highest <= 0.0 {
        return Ok(String::new());
    }
    let most = latencies.iter().map(|(_, values)| values.len()).max();
    let drawn = latencies.iter().filter(|(_, values)| !values.is_empty());
    let layers = drawn.map(|(route, values)| Layer {
        name: Some(route.as_str().to_owned()),
        color: color(*route as usize),
        mark: Mark::Line(curve(values)),
    });
    Plot {
        title: "Latency of each route by the share of votes answered within it".to_owned(),
        // The last point of n values is at n.
        x: Axis::tail("share of votes answered within", most.unwrap_or(1)),
        y: Axis::log("latency, ms", lowest * 0.8..highest * 1.25),
        height: 420,
        layers: layers.collect(),
        ground: None,
    }
    .svg()
}

fn curve(ascending: &[f64]) -> Vec<(f64, f64)> {
    let end = ascending.len() as f64;
    let position = |step: u32| end.powf(f64::from(step) / f64::from(POINTS));
    (0..=POINTS)
        .map(position)
        .filter_map(|x| Some((x, quantile(ascending, 1.0 - 1.0 / x)?)))
        .collect()
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
        assert!(svg.contains(">\nrest\n") && svg.contains(">\nbridge\n"), "{svg}");
        assert!(!svg.contains(">\ngrpc\n"), "{svg}");
    }

    #[test]
    fn no_votes_and_one_vote_can_be_drawn() {
        assert_eq!(latency_svg(&[(Route::Rest, vec![])]).unwrap(), "");
        assert!(latency_svg(&[(Route::Rest, vec![1.0])]).is_ok());
    }
}
