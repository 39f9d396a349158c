//! A sweep: the same comparison at several values of one setting, to see where the winner changes.

use std::fmt;

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{ArmData, Point};
use crate::driver::load::{Outcome, Sample};
use crate::plan::{Acks, Plan};
use crate::stats::quantile::{ascending_ms, nearest_rank};

/// Which setting takes which values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The setting, as the plan names it.
    pub key: Key,
    /// Its values, in the order in which they are tried. The order is not drawn: the arms are compared within a value, and
    /// a load that rises shows its knee.
    pub values: Vec<Value>,
    /// Whether values are left out from the first one on at which every arm is past its knee: its median latency is then
    /// more than [`KNEE`] times the lowest so far, or more than one vote in 100 failed.
    #[serde(default)]
    pub until_knee: bool,
}

/// Beyond so many times its lowest median latency an arm is past its knee. (That is not the one at the lowest rate: who is
/// idle has to be woken.)
pub const KNEE: f64 = 5.0;

/// A setting of a plan that can be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Key {
    /// Votes a second.
    #[serde(rename = "load.rate")]
    Rate,
    /// Connections of each arm.
    #[serde(rename = "load.connections")]
    Connections,
    /// Calls at a time on an HTTP/2 connection.
    #[serde(rename = "load.streams")]
    Streams,
    /// Whether a connection serves more than one call.
    #[serde(rename = "load.reuse")]
    Reuse,
    /// Bytes of band and album.
    #[serde(rename = "load.payload_bytes")]
    PayloadBytes,
    /// Replicas that acknowledge.
    #[serde(rename = "kafka.acks")]
    Acks,
    /// Wait for a batch, in ms.
    #[serde(rename = "kafka.linger_ms")]
    LingerMs,
}

/// A value of any setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// true or false.
    Flag(bool),
    /// A whole number.
    Whole(u32),
    /// A number.
    Number(f64),
    /// A word.
    Word(String),
}

impl Sweep {
    /// Whether the values behind these points are left out.
    pub fn is_over(&self, points: &[Point]) -> bool {
        let Some((last, before)) = points.split_last() else {
            return false;
        };
        let mut arms = last.arms.iter().enumerate();
        self.until_knee
            && arms.all(|(index, arm)| {
                is_past_knee(arm, before.iter().filter_map(|point| point.arms.get(index)))
            })
    }
}

fn is_past_knee<'a>(arm: &ArmData, before: impl Iterator<Item = &'a ArmData>) -> bool {
    let failed = samples(arm).filter(|sample| matches!(sample.outcome, Outcome::Failed(_)));
    let too_many_failed = failed.count() * 100 > samples(arm).count();
    let lowest_ms = before.map(median_ms).reduce(f64::min);
    too_many_failed || lowest_ms.is_some_and(|lowest_ms| median_ms(arm) > KNEE * lowest_ms)
}

fn median_ms(arm: &ArmData) -> f64 {
    let latencies = ascending_ms(samples(arm).map(|sample| sample.latency));
    nearest_rank(&latencies, 0.5).unwrap_or_default()
}

fn samples(arm: &ArmData) -> impl Iterator<Item = &Sample> {
    arm.blocks.iter().flat_map(|block| &block.samples)
}

impl Key {
    /// Gives the setting a value.
    pub fn set(self, value: &Value, plan: &mut Plan) -> Result<()> {
        match (self, value) {
            (Self::Rate, Value::Whole(rate)) => plan.load.rate = f64::from(*rate),
            (Self::Rate, Value::Number(rate)) => plan.load.rate = *rate,
            (Self::Connections, Value::Whole(count)) => plan.load.connections = *count as usize,
            (Self::Streams, Value::Whole(count)) => plan.load.streams = *count as usize,
            (Self::Reuse, Value::Flag(reuse)) => plan.load.reuse = *reuse,
            (Self::PayloadBytes, Value::Whole(bytes)) => plan.load.payload_bytes = Some(*bytes as usize),
            (Self::LingerMs, Value::Whole(linger_ms)) => plan.kafka.linger_ms = Some(u64::from(*linger_ms)),
            (Self::Acks, Value::Word(word)) => plan.kafka.acks = Some(acks(word)?),
            (key, value) => bail!(
                "sweep.values: {value} is no value of {key}, which is {}",
                key.kind()
            ),
        }
        Ok(())
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Rate => "a number",
            Self::Connections | Self::Streams | Self::PayloadBytes | Self::LingerMs => "a whole number",
            Self::Reuse => "true or false",
            Self::Acks => "one of \"all\", \"1\", \"0\"",
        }
    }
}

fn acks(word: &str) -> Result<Acks> {
    Ok(match word {
        "all" => Acks::All,
        "1" => Acks::Leader,
        "0" => Acks::None,
        other => bail!("sweep.values: kafka.acks has no value {other}; it is \"all\", \"1\" or \"0\""),
    })
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rate => "load.rate",
            Self::Connections => "load.connections",
            Self::Streams => "load.streams",
            Self::Reuse => "load.reuse",
            Self::PayloadBytes => "load.payload_bytes",
            Self::Acks => "kafka.acks",
            Self::LingerMs => "kafka.linger_ms",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(formatter),
            Self::Whole(number) => number.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Word(word) => word.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::data::{Block, Counted, WireBytes};
    use crate::plan::Plan;

    fn point(latency_ms: u64) -> Point {
        let plan = Plan::read(&crate::plans::find(&lab::project::root().unwrap(), "rate").unwrap()).unwrap();
        let sample = Sample {
            intended: Duration::ZERO,
            lag: Duration::ZERO,
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
            counted: Counted::default(),
        };
        let arms = plan.arms.into_iter().map(|arm| ArmData {
            arm,
            is_control: false,
            blocks: vec![block.clone()],
        });
        Point {
            value: None,
            arms: arms.collect(),
        }
    }

    #[test]
    fn a_sweep_ends_where_all_are_past_the_knee_of_their_best() {
        let sweep = Sweep {
            key: Key::Rate,
            values: Vec::new(),
            until_knee: true,
        };
        let points = [point(3), point(1), point(4), point(6)];
        let over: Vec<bool> = (0..=points.len())
            .map(|seen| sweep.is_over(&points[..seen]))
            .collect();
        assert_eq!(over, [false, false, false, false, true]);
        let whole = Sweep {
            until_knee: false,
            ..sweep
        };
        assert!(!whole.is_over(&points));
    }
}
