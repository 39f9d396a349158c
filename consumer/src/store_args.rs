//! Where the votes are: options of every command that looks into the stores.

/// Where the votes are.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Kafka brokers, as host:port, comma-separated
    #[arg(long, env = "KAFKA_BROKERS", default_value = "127.0.0.1:9092")]
    pub kafka_brokers: String,

    /// Topic of the votes
    #[arg(long, env = "KAFKA_TOPIC", default_value = "votes")]
    pub topic: String,

    /// Topic of the records that could not be read
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "votes.dlq")]
    pub dead_letter_topic: String,

    /// Redis, which holds the tallies
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:6379")]
    pub redis_url: String,

    /// MongoDB, which holds the log
    #[arg(
        long,
        env = "MONGODB_URI",
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    )]
    pub mongodb_uri: String,
}
