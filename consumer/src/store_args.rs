//! The addresses of the stores: options that all commands share.

use kafka::BrokerArgs;
use mongodb::options::ConnectionString;
use service::{InvalidUrl, SecretUrl};
use tallies::{RedisSecurityArgs, RedisServer};

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
}

impl RedisArgs {
    /// The server, if all options are valid.
    pub fn server(&self) -> anyhow::Result<RedisServer> {
        RedisServer::new(&self.url, &self.security)
    }
}

impl MongodbArgs {
    /// The validated URI.
    pub fn validated(&self) -> Result<&str, InvalidUrl> {
        const OPTION: &str = "--mongodb-uri";
        self.uri.validate(OPTION, &["mongodb", "mongodb+srv"])?;
        match ConnectionString::parse(self.uri.expose()) {
            Ok(_) => Ok(self.uri.expose()),
            Err(error) => Err(self.uri.invalid(OPTION, &error)),
        }
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
