//! Options of everything that writes votes to Kafka.

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
}

/// Where accepted votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SinkKind {
    /// Into the topic, acknowledged by all in-sync replicas.
    Kafka,
    /// Nowhere.
    Null,
}

impl std::fmt::Display for SinkKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Kafka => "kafka",
            Self::Null => "null",
        })
    }
}
