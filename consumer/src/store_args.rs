//! The addresses of the stores: options that all commands share.

use kafka::BrokerArgs;
use secret::SecretUrl;
use tallies::{RedisSecurityArgs, RedisServer};
use vote_log::MongodbLoginArgs;

/// The address and the topics of Kafka.
#[derive(Clone, Debug, clap::Args)]
pub struct ConsumerKafkaArgs {
    /// The brokers.
    #[command(flatten)]
    pub brokers: BrokerArgs,

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
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub url: SecretUrl,

    /// TLS and login.
    #[command(flatten)]
    pub security: RedisSecurityArgs,
}

/// The address of MongoDB.
#[derive(Clone, Debug, clap::Args)]
pub struct MongodbArgs {
    /// URI of MongoDB, which holds the log; use a replica set, so that writes survive the loss of a server
    #[arg(
        long = "mongodb-uri",
        env = "MONGODB_URI",
        hide_env_values = true,
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    )]
    pub uri: SecretUrl,

    /// The login.
    #[command(flatten)]
    pub login: MongodbLoginArgs,
}

impl RedisArgs {
    /// The server, if all options are valid.
    pub fn server(&self) -> anyhow::Result<RedisServer> {
        RedisServer::new(&self.url, &self.security)
    }
}

impl MongodbArgs {
    /// The validated URI, with the password.
    pub fn validated(&self) -> anyhow::Result<SecretUrl> {
        vote_log::validated_uri("--mongodb-uri", &self.uri, &self.login)
    }
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
