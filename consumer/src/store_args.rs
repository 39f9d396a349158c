//! The addresses of the stores: options that all commands share.

/// The address and the topics of Kafka.
#[derive(Clone, Debug, clap::Args)]
pub struct ConsumerKafkaArgs {
    /// Kafka brokers, as host:port, comma-separated
    #[arg(
        long = "kafka-brokers",
        env = "KAFKA_BROKERS",
        default_value = "127.0.0.1:9092"
    )]
    pub brokers: String,

    /// Topic of the votes
    #[arg(long, env = "KAFKA_TOPIC", default_value = "votes")]
    pub topic: String,

    /// Topic of the records that cannot be decoded; `run` creates it if it is missing
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "votes.dlq")]
    pub dead_letter_topic: String,
}

/// The address of Redis.
#[derive(Clone, Debug, clap::Args)]
pub struct RedisArgs {
    /// URL of Redis, which holds the tallies
    #[arg(
        long = "redis-url",
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379"
    )]
    pub url: String,
}

/// The address of MongoDB.
#[derive(Clone, Debug, clap::Args)]
pub struct MongodbArgs {
    /// URI of MongoDB, which holds the log; use a replica set, so that writes survive the loss of a server
    #[arg(
        long = "mongodb-uri",
        env = "MONGODB_URI",
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    )]
    pub uri: String,
}

/// All stores.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Kafka.
    #[command(flatten)]
    pub kafka: ConsumerKafkaArgs,

    /// Redis.
    #[command(flatten)]
    pub redis: RedisArgs,

    /// MongoDB.
    #[command(flatten)]
    pub mongodb: MongodbArgs,
}
