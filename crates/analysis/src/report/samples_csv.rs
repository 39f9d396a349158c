//! The raw samples as CSV, one line for each vote. Other programs can compute their own statistics from them.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use experiment_model::sample::{Outcome, Sample};
use serde::Serialize;
use uuid::Uuid;

use crate::observations::{Block, Point, VariantData};

/// One vote; times in ms. The stage times are empty if the vote did not request them.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// The sweep's value; empty without a sweep.
    point: &'a str,
    variant: &'a str,
    control: bool,
    round: usize,
    position: usize,
    /// From the start of its block.
    intended_ms: f64,
    scheduling_delay_ms: f64,
    latency_ms: f64,
    /// `acknowledged`, or the reason of the failure.
    outcome: &'a str,
    vote_id: Option<Uuid>,
    decode_ms: Option<f64>,
    validate_ms: Option<f64>,
    encode_ms: Option<f64>,
    publish_ms: Option<f64>,
    reply_ms: Option<f64>,
    server_ms: Option<f64>,
}

/// Writes all samples to `to`, with a header line, and returns `to`.
pub fn write<W: Write>(points: &[Point], to: W) -> Result<W> {
    let mut writer = csv::Writer::from_writer(to);
    for point in points {
        for variant in &point.variants {
            for block in variant.blocks.iter().chain(&variant.cpu_blocks) {
                for sample in &block.samples {
                    writer.serialize(row(point, variant, block, sample))?;
                }
            }
        }
    }
    writer
        .into_inner()
        .map_err(|error| anyhow::anyhow!("{}", error.error()))
}

fn row<'a>(point: &'a Point, variant: &'a VariantData, block: &Block, sample: &'a Sample) -> Row<'a> {
    let (outcome, vote_id) = match &sample.outcome {
        Outcome::Acknowledged(id) => ("acknowledged", Some(*id)),
        Outcome::Failed(reason) => (reason.as_str(), None),
    };
    Row {
        point: point.value.as_deref().unwrap_or_default(),
        variant: &variant.variant.name,
        control: variant.is_control,
        round: block.round,
        position: block.position,
        intended_ms: milliseconds(sample.intended),
        scheduling_delay_ms: milliseconds(sample.scheduling_delay),
        latency_ms: milliseconds(sample.latency),
        outcome,
        vote_id,
        decode_ms: sample.server.map(|server| server.decode),
        validate_ms: sample.server.map(|server| server.validate),
        encode_ms: sample.server.map(|server| server.encode),
        publish_ms: sample.server.map(|server| server.publish),
        reply_ms: sample.server.map(|server| server.reply),
        server_ms: sample.server.map(|server| server.total),
    }
}

/// Rounded down to a microsecond, the resolution of the clock.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use experiment_model::plan::Plan;
    use experiment_model::sample::{ServerTiming, WireBytes};

    use super::*;
    use crate::observations::CountingDelayHistogram;

    const PLAN: &str = include_str!("../../../../compare/plans/quick.toml");

    #[test]
    fn each_vote_has_one_line() {
        let sample = |outcome, server| Sample {
            intended: Duration::from_millis(5),
            scheduling_delay: Duration::from_nanos(12_400),
            latency: Duration::from_micros(1_250),
            outcome,
            server,
        };
        let server = ServerTiming {
            publish: 0.75,
            ..ServerTiming::default()
        };
        let block = Block {
            round: 2,
            position: 1,
            started: Duration::ZERO,
            length: Duration::from_secs(1),
            samples: vec![
                sample(Outcome::Acknowledged(Uuid::nil()), Some(server)),
                sample(Outcome::Failed("429, \"slow down\"".to_owned()), None),
            ],
            usage: std::collections::BTreeMap::new(),
            wire: WireBytes::default(),
            counting_delays: CountingDelayHistogram::default(),
            search: None,
        };
        let variant = Plan::parse(PLAN).unwrap().variants.remove(0);
        let points = [Point {
            value: Some("400".to_owned()),
            variants: vec![VariantData {
                variant,
                is_control: false,
                blocks: vec![block],
                cpu_blocks: Vec::new(),
            }],
        }];
        let text = String::from_utf8(write(&points, Vec::new()).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "point,variant,control,round,position,intended_ms,scheduling_delay_ms,latency_ms,outcome,vote_id,\
                 decode_ms,validate_ms,encode_ms,publish_ms,reply_ms,server_ms",
                "400,rest,false,2,1,5.0,0.012,1.25,acknowledged,00000000-0000-0000-0000-000000000000,0.0,0.0,0.0,0.75,0.0,0.0",
                "400,rest,false,2,1,5.0,0.012,1.25,\"429, \"\"slow down\"\"\",,,,,,,",
            ]
        );
    }
}
