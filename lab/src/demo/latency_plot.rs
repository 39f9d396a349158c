//! The latency plot: the quantiles of each route on logarithmic axes.

use anyhow::Result;
use plot::{Axis, Layer, Plot, Shape, color};
use quantile::nearest_rank;
use vote::Route;

/// The number of points of a curve, sufficient for a smooth line.
const POINTS: u32 = 200;

/// Draws the latencies of each route, in milliseconds and ascending. Returns an empty string if there are none.
pub(super) fn latency_svg(latencies: &[(Route, Vec<f64>)]) -> Result<String> {
    let all = || latencies.iter().flat_map(|(_, values)| values.iter().copied());
    let lowest = all().fold(f64::INFINITY, f64::min);
    let highest = all().fold(0.0, f64::max);
    if highest <= 0.0 {
        return Ok(String::new());
    }
    let most_votes = latencies.iter().map(|(_, values)| values.len()).max();
    let non_empty = latencies.iter().filter(|(_, values)| !values.is_empty());
    let layers = non_empty.map(|(route, values)| Layer {
        name: Some(route.as_str().to_owned()),
        color: color(*route as usize),
        shape: Shape::Line(curve(values)),
    });
    Plot {
        title: "Latency quantiles of each route".to_owned(),
        // The curve of n values ends at x = n, the share 1 - 1/n.
        x: Axis::tail(
            "share of votes with at most this latency",
            most_votes.unwrap_or(1),
        ),
        y: Axis::log("latency, ms", lowest * 0.8..highest * 1.25),
        height: 420,
        layers: layers.collect(),
        background: None,
    }
    .svg()
}

fn curve(ascending: &[f64]) -> Vec<(f64, f64)> {
    let end = ascending.len() as f64;
    let position = |step: u32| end.powf(f64::from(step) / f64::from(POINTS));
    (0..=POINTS)
        .map(position)
        .filter_map(|x| Some((x, nearest_rank(ascending, 1.0 - 1.0 / x)?)))
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
    fn plot_of_no_votes_is_empty_and_of_one_vote_is_valid() {
        assert_eq!(latency_svg(&[(Route::Rest, vec![])]).unwrap(), "");
        assert!(latency_svg(&[(Route::Rest, vec![1.0])]).is_ok());
    }
}
