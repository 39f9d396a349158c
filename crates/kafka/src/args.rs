//! Options of everything that writes votes to Kafka.

use ingest::{Confound, ConfoundArgs};

use crate::KafkaError;

/// Milliseconds that votes wait for others. Every awaited vote pays them, but without any each request carries a vote or
/// two and the broker's cost per request limits everything. This little suffices because votes go to one partition at a
/// time (see `KafkaSink::partition`): with 64 votes in flight it answered more of them than 0, 0.5 or 1 ms did.
const LINGER_MS: f64 = 0.3;
const MAX_LINGER_MS: f64 = 1_000.0;

/// Options of everything that writes votes to Kafka.
#[derive(Clone, Debug, clap::Args)]
pub struct KafkaArgs {
    /// Kafka brokers, as host:port, comma-separated
    #[arg(long, env = "KAFKA_BROKERS", default_value = "127.0.0.1:9092")]
    pub kafka_brokers: String,

    /// Topic of the votes
    #[arg(long, env = "KAFKA_TOPIC", default_value = "votes")]
    pub topic: String,

    /// Where accepted votes go; `null` acknowledges at once and keeps nothing: for benchmarks of the transport only
    #[arg(long, env = "SINK", value_enum, default_value_t = SinkKind::Kafka)]
    pub sink: SinkKind,

    /// How the producer works
    #[command(flatten)]
    pub producer: ProducerArgs,
}

/// What of the producer can be chosen, so that experiments can vary it.
#[derive(Clone, Debug, clap::Args)]
pub struct ProducerArgs {
    /// Who must have a vote before it is acknowledged; less than `all` needs --inject-fault acks
    #[arg(long, env = "ACKS", value_enum, default_value_t = Acks::All)]
    pub acks: Acks,

    /// How long votes wait for others to travel with, in ms
    #[arg(long, env = "LINGER_MS", default_value_t = LINGER_MS, value_parser = parse_linger_ms)]
    pub linger_ms: f64,
}

/// Where accepted votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SinkKind {
    /// Into the topic.
    Kafka,
    /// Nowhere.
    Null,
}

/// Who must have a record before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Acks {
    /// All in-sync replicas.
    All,
    /// The leader: what it has not passed on dies with it.
    #[value(name = "1")]
    Leader,
    /// Nobody: the record was sent.
    #[value(name = "0")]
    Nobody,
}

impl ProducerArgs {
    /// An answer that does not mean "durable" must have been asked for by its name.
    pub(crate) fn check(&self, confounds: &ConfoundArgs) -> Result<(), KafkaError> {
        if self.acks == Acks::All || confounds.has(Confound::Acks) {
            return Ok(());
        }
        Err(KafkaError::Refused(format!(
            "--acks {} acknowledges votes that can be lost: it is a fault to teach with, and needs --inject-fault acks",
            self.acks
        )))
    }
}

impl Default for ProducerArgs {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            linger_ms: LINGER_MS,
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

/// The client library's own words.
impl std::fmt::Display for Acks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::All => "all",
            Self::Leader => "1",
            Self::Nobody => "0",
        })
    }
}

fn parse_linger_ms(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(linger) if (0.0..=MAX_LINGER_MS).contains(&linger) => Ok(linger),
        _ => Err(format!("expected a number from 0 to {MAX_LINGER_MS}")),
    }
}
