//! Settings of the services' Kafka producers that a plan can vary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the Kafka producers, the same for all services. A service keeps its own default for a setting that the
/// plan omits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// Replicas that must have a vote before it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// How long the producer waits for more votes before it sends a batch, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linger_ms: Option<f64>,
}

/// Replicas that must have a vote before it is acknowledged. Acknowledged votes are durable only with `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Acks {
    /// All in-sync replicas.
    #[serde(rename = "all")]
    All,
    /// The leader only.
    #[serde(rename = "1")]
    Leader,
    /// None: the producer does not wait for Kafka.
    #[serde(rename = "0")]
    None,
}

impl KafkaSettings {
    /// The command-line options that give these settings to a service.
    pub fn options(&self) -> Vec<String> {
        let acks = match self.acks {
            None => &[][..],
            Some(Acks::All) => &["--acks", "all"],
            Some(Acks::Leader) => &["--acks", "1", "--inject-fault", "acks"],
            Some(Acks::None) => &["--acks", "0", "--inject-fault", "acks"],
        };
        let linger = self
            .linger_ms
            .map(|linger_ms| ["--linger-ms".to_owned(), linger_ms.to_string()]);
        let acks = acks.iter().map(|option| (*option).to_owned());
        acks.chain(linger.into_iter().flatten()).collect()
    }
}
