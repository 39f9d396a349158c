//! The knee of a sweep: the value beyond which latencies or failures grow steeply.

use experiment_model::sample::{Outcome, Sample};
use experiment_model::sweep::Sweep;
use quantile::{ascending_ms, nearest_rank};

use crate::observations::{Point, VariantData};

/// A variant is past its knee if its median latency is more than this many times its lowest so far. The lowest is not
/// always at the lowest rate, because idle threads take time to wake up.
const KNEE_FACTOR: f64 = 5.0;

/// Whether the sweep stops after these points: its plan has `until_knee`, and every variant is past its knee at the last
/// point.
pub fn stops_sweep(sweep: &Sweep, points: &[Point]) -> bool {
    let Some((last, earlier)) = points.split_last() else {
        return false;
    };
    let mut variants = last.variants.iter().enumerate();
    sweep.until_knee
        && variants.all(|(index, variant)| {
            is_past_knee(
                variant,
                earlier.iter().filter_map(|point| point.variants.get(index)),
            )
        })
}

fn is_past_knee<'a>(variant: &VariantData, earlier: impl Iterator<Item = &'a VariantData>) -> bool {
    let failed = samples(variant).filter(|sample| matches!(sample.outcome, Outcome::Failed(_)));
    let too_many_failed = failed.count() * 100 > samples(variant).count();
    let lowest_ms = earlier.map(median_ms).reduce(f64::min);
    too_many_failed || lowest_ms.is_some_and(|lowest_ms| median_ms(variant) > KNEE_FACTOR * lowest_ms)
}

fn median_ms(variant: &VariantData) -> f64 {
    let latencies = ascending_ms(samples(variant).map(|sample| sample.latency));
    nearest_rank(&latencies, 0.5).unwrap_or_default()
}

fn samples(variant: &VariantData) -> impl Iterator<Item = &Sample> {
    variant.blocks.iter().flat_map(|block| &block.samples)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use experiment_model::plan::Plan;
    use experiment_model::sample::WireBytes;
    use experiment_model::sweep::Setting;

    use super::*;
    use crate::observations::{Block, CountingDelayHistogram};

    const PLAN: &str = include_str!("../../../compare/plans/rate.toml");

    fn point(latency_ms: u64) -> Point {
        let plan = Plan::parse(PLAN).unwrap();
        let sample = Sample {
            intended: Duration::ZERO,
            scheduling_delay: Duration::ZERO,
            latency: Duration::from_millis(latency_ms),
            outcome: Outcome::Acknowledged(uuid::Uuid::nil()),
            server: None,
        };
        let block = Block {
            round: 0,
            position: 0,
            started: Duration::ZERO,
            length: Duration::from_secs(1),
            samples: vec![sample],
            usage: std::collections::BTreeMap::default(),
            wire: WireBytes::default(),
            counting_delays: CountingDelayHistogram::default(),
            search: None,
        };
        let variants = plan.variants.into_iter().map(|variant| VariantData {
            variant,
            is_control: false,
            blocks: vec![block.clone()],
            cpu_blocks: Vec::new(),
        });
        Point {
            value: None,
            variants: variants.collect(),
        }
    }

    #[test]
    fn sweep_stops_when_every_variant_is_past_its_knee() {
        let sweep = Sweep {
            key: Setting::Rate,
            values: Vec::new(),
            until_knee: true,
        };
        let points = [point(3), point(1), point(4), point(6)];
        let stops: Vec<bool> = (0..=points.len())
            .map(|count| stops_sweep(&sweep, &points[..count]))
            .collect();
        assert_eq!(stops, [false, false, false, false, true]);
        let full_sweep = Sweep {
            until_knee: false,
            ..sweep
        };
        assert!(!stops_sweep(&full_sweep, &points));
    }
}
