//! A sweep: the same comparison at several values of one setting. It shows where the winner changes.

use std::fmt;

use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kafka::{Acks, KafkaSettings};
use crate::load::Load;

/// A setting and its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The setting, by its name in the plan.
    pub key: Setting,
    /// The values, in the order in which they run. The order is not random: variants are compared within one value, and a
    /// rising load shows the knee.
    pub values: Vec<SettingValue>,
    /// Whether the sweep stops after the first value at which every variant is past its knee: its median latency is more
    /// than 5 times its lowest so far, or more than one vote in 100 failed.
    #[serde(default)]
    pub until_knee: bool,
}

/// A setting of a plan that a sweep can vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Setting {
    /// Votes a second.
    #[serde(rename = "load.rate")]
    Rate,
    /// HTTP/2 connections of each variant.
    #[serde(rename = "load.connections")]
    Connections,
    /// Unanswered votes of each variant.
    #[serde(rename = "load.in_flight")]
    InFlight,
    /// Whether a connection serves more than one request.
    #[serde(rename = "load.reuse")]
    Reuse,
    /// Bytes of band and album.
    #[serde(rename = "load.payload_bytes")]
    PayloadBytes,
    /// Replicas that acknowledge.
    #[serde(rename = "kafka.acks")]
    Acks,
    /// How long the producer waits for more votes before it sends a batch, in ms.
    #[serde(rename = "kafka.linger_ms")]
    LingerMs,
}

/// A value of any setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SettingValue {
    /// true or false.
    Flag(bool),
    /// A whole number.
    Whole(u32),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
}

impl Setting {
    /// Sets the setting to `value`. Errors if the value has the wrong type.
    pub fn apply(self, value: &SettingValue, load: &mut Load, kafka: &mut KafkaSettings) -> Result<()> {
        match (self, value) {
            (Self::Rate, SettingValue::Whole(rate)) => load.rate = f64::from(*rate),
            (Self::Rate, SettingValue::Number(rate)) => load.rate = *rate,
            (Self::Connections, SettingValue::Whole(count)) => load.connections = *count as usize,
            (Self::InFlight, SettingValue::Whole(count)) => load.in_flight = *count as usize,
            (Self::Reuse, SettingValue::Flag(reuse)) => load.reuse = *reuse,
            (Self::PayloadBytes, SettingValue::Whole(bytes)) => load.payload_bytes = Some(*bytes as usize),
            (Self::LingerMs, SettingValue::Whole(ms)) => kafka.linger_ms = Some(f64::from(*ms)),
            (Self::LingerMs, SettingValue::Number(ms)) => kafka.linger_ms = Some(*ms),
            (Self::Acks, SettingValue::Text(text)) => kafka.acks = Some(parse_acks(text)?),
            (setting, value) => bail!(
                "sweep.values: {value} is not a valid value of {setting}, which must be {}",
                setting.value_type()
            ),
        }
        Ok(())
    }

    const fn value_type(self) -> &'static str {
        match self {
            Self::Rate | Self::LingerMs => "a number",
            Self::Connections | Self::InFlight | Self::PayloadBytes => "a whole number",
            Self::Reuse => "true or false",
            Self::Acks => "one of \"all\", \"1\", \"0\"",
        }
    }
}

fn parse_acks(text: &str) -> Result<Acks> {
    Ok(match text {
        "all" => Acks::All,
        "1" => Acks::Leader,
        "0" => Acks::None,
        other => {
            bail!("sweep.values: {other} is not a valid value of kafka.acks; use \"all\", \"1\" or \"0\"")
        }
    })
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rate => "load.rate",
            Self::Connections => "load.connections",
            Self::InFlight => "load.in_flight",
            Self::Reuse => "load.reuse",
            Self::PayloadBytes => "load.payload_bytes",
            Self::Acks => "kafka.acks",
            Self::LingerMs => "kafka.linger_ms",
        })
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(formatter),
            Self::Whole(number) => number.fmt(formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}
