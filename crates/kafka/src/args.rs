//! Options of the services that write votes to Kafka.

use crate::{BrokerArgs, linger};

/// Options of the services that write votes to Kafka.
#[derive(Clone, Debug, clap::Args)]
pub struct KafkaArgs {
    /// The brokers.
    #[command(flatten)]
    pub brokers: BrokerArgs,

    /// Topic of the votes
    #[arg(long, env = "KAFKA_TOPIC", default_value = "votes")]
    pub topic: String,

    /// Where accepted votes go; `null` acknowledges at once and stores nothing: for benchmarks of the transport only
    #[arg(long, env = "SINK", value_enum, default_value_t = SinkKind::Kafka)]
    pub sink: SinkKind,

    /// Options of the producer
    #[command(flatten)]
    pub producer: ProducerArgs,
}

/// Options of the producer that experiments vary.
#[derive(Clone, Debug, clap::Args)]
pub struct ProducerArgs {
    /// Replicas that must have a vote before it is acknowledged; less than `all` needs --inject-fault acks
    #[arg(long, env = "ACKS", value_enum, default_value_t = Acks::All)]
    pub acks: Acks,

    /// Time for which the producer collects votes before it sends a request, in ms
    #[arg(long, env = "LINGER_MS", default_value_t = linger::DEFAULT_MS, value_parser = linger::parse_ms)]
    pub linger_ms: f64,
}

/// Where accepted votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SinkKind {
    /// Into the topic of Kafka.
    Kafka,
    /// Acknowledged and discarded.
    Null,
}

/// Replicas that must have a record before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Acks {
    /// All in-sync replicas.
    All,
    /// Only the leader. If it fails, records without another replica are lost.
    #[value(name = "1")]
    Leader,
    /// None: a record counts as acknowledged when it is sent.
    #[value(name = "0")]
    None,
}

impl Default for ProducerArgs {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            linger_ms: linger::DEFAULT_MS,
        }
    }
}

impl std::fmt::Display for SinkKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Kafka => "kafka",
            Self::Null => "null",
        })
    }
}

/// The values of the client library's setting `acks`.
impl std::fmt::Display for Acks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::All => "all",
            Self::Leader => "1",
            Self::None => "0",
        })
    }
}
