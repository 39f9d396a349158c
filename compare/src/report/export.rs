//! The raw samples, one line for each vote: for whoever does not believe our quantiles.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use uuid::Uuid;

use crate::data::{ArmData, Block, Point};
use crate::driver::load::{Outcome, Sample};

/// One vote; times in ms. The server's stages are empty where the vote did not ask for them.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// The sweep's value; empty without a sweep.
    point: &'a str,
    arm: &'a str,
    control: bool,
    round: usize,
    position: usize,
    /// From the start of its block.
    intended_ms: f64,
    lag_ms: f64,
    latency_ms: f64,
    /// `acknowledged`, or why not.
    outcome: &'a str,
    vote_id: Option<Uuid>,
    decode_ms: Option<f64>,
    validate_ms: Option<f64>,
    encode_ms: Option<f64>,
    publish_ms: Option<f64>,
    reply_ms: Option<f64>,
    server_ms: Option<f64>,
}

/// Writes `samples.csv.gz`.
pub fn write(points: &[Point], path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let gzip = rows(points, GzEncoder::new(file, Compression::fast()));
    gzip.and_then(|gzip| Ok(gzip.finish()?))
        .map(|_| ())
        .with_context(|| format!("writing {}", path.display()))
}

fn rows<W: Write>(points: &[Point], to: W) -> Result<W> {
    let mut writer = csv::Writer::from_writer(to);
    for point in points {
        for arm in &point.arms {
            for block in &arm.blocks {
                for sample in &block.samples {
                    writer.serialize(row(point, arm, block, sample))?;
                }
            }
        }
    }
    writer
        .into_inner()
        .map_err(|error| anyhow::anyhow!("{}", error.error()))
}

fn row<'a>(point: &'a Point, arm: &'a ArmData, block: &Block, sample: &'a Sample) -> Row<'a> {
    let (outcome, vote_id) = match &sample.outcome {
        Outcome::Acknowledged(id) => ("acknowledged", Some(*id)),
        Outcome::Failed(reason) => (reason.as_str(), None),
    };
    Row {
        point: point.value.as_deref().unwrap_or_default(),
        arm: &arm.arm.name,
        control: arm.is_control,
        round: block.round,
        position: block.position,
        intended_ms: milliseconds(sample.intended),
        lag_ms: milliseconds(sample.lag),
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

/// To the microsecond: what lies below is the clock's.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::data::{Counted, ServerTiming, WireBytes};
    use crate::plan::Plan;

    const PLAN: &str = include_str!("../../plans/quick.toml");

    #[test]
    fn each_vote_has_a_line() {
        let sample = |outcome, server| Sample {
            intended: Duration::from_millis(5),
            lag: Duration::from_nanos(12_400),
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
            counted: Counted::default(),
        };
        let arm = Plan::parse(PLAN).unwrap().arms.remove(0);
        let points = [Point {
            value: Some("400".to_owned()),
            arms: vec![ArmData {
                arm,
                is_control: false,
                blocks: vec![block],
            }],
        }];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("samples.csv.gz");
        write(&points, &path).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "point,arm,control,round,position,intended_ms,lag_ms,latency_ms,outcome,vote_id,decode_ms,validate_ms,\
                 encode_ms,publish_ms,reply_ms,server_ms",
                "400,rest,false,2,1,5.0,0.012,1.25,acknowledged,00000000-0000-0000-0000-000000000000,0.0,0.0,0.0,0.75,0.0,0.0",
                "400,rest,false,2,1,5.0,0.012,1.25,\"429, \"\"slow down\"\"\",,,,,,,",
            ]
        );
    }
}
