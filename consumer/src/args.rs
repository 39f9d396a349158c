//! Options of `consumer run`.

use std::time::Duration;

use secret::redact_hosts;
use service::EffectiveConfig;

use crate::batch::BatchLimits;
use crate::store_args::StoreArgs;

/// Options of `consumer run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The addresses of the stores.
    #[command(flatten)]
    pub stores: StoreArgs,

    /// Consumer group; all replicas must use the same one: replicas in different groups do not share the partitions
    #[arg(long, env = "CONSUMER_GROUP", default_value = "votes-consumer")]
    pub group: String,

    /// Undecodable records of a partition that go to the dead-letter topic before the consumer stops
    ///
    /// Ten decodable records make room for one more undecodable one, so the consumer never stops below a share of 1 in
    /// 11. A higher share points to a broken writer or an outdated consumer, which must not move the whole topic to the
    /// dead-letter topic.
    #[arg(
        long,
        env = "DEAD_LETTER_LIMIT",
        default_value_t = 1_000,
        value_name = "RECORDS"
    )]
    pub dead_letter_limit: u32,

    /// How long an id that a client chose is remembered, in s: a vote repeated within this time is counted once
    #[arg(long, env = "DEDUP_WINDOW_S", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..))]
    pub dedup_window_s: u64,

    /// Maximum number of records of a batch: with a backlog, a larger batch costs less per vote, but blocks Redis for longer
    #[arg(long, env = "BATCH_MAX_RECORDS", default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub batch_max_records: u32,

    /// Longest time that a record waits for its batch to fill, in ms: it delays the count of a vote, and makes counting
    /// much cheaper
    #[arg(long, env = "BATCH_LINGER_MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub batch_linger_ms: u64,

    /// Maximum number of records in memory: five full batches by default; while a store is down, reading pauses at this
    /// limit
    #[arg(long, env = "MAX_OUTSTANDING", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_outstanding: u32,
}

impl RunArgs {
    /// The limits of a batch.
    pub fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            max_records: self.batch_max_records as usize,
            linger: Duration::from_millis(self.batch_linger_ms),
        }
    }

    /// How long an id that a client chose is remembered.
    pub fn dedup_window(&self) -> Duration {
        Duration::from_secs(self.dedup_window_s)
    }

    /// The effective configuration, without passwords.
    pub fn effective(&self) -> EffectiveConfig {
        EffectiveConfig::default()
            .with(
                "kafka_brokers",
                redact_hosts(&self.stores.kafka.brokers.addresses),
            )
            .with("topic", &self.stores.kafka.topic)
            .with("dead_letter_topic", &self.stores.kafka.dead_letter_topic)
            .with("group", &self.group)
            .with("redis_url", &self.stores.redis.url)
            .with("mongodb_uri", &self.stores.mongodb.uri)
            .with("dead_letter_limit", self.dead_letter_limit)
            .with("dedup_window_s", self.dedup_window_s)
            .with("batch_max_records", self.batch_max_records)
            .with("batch_linger_ms", self.batch_linger_ms)
            .with("max_outstanding", self.max_outstanding)
            .with_all("kafka.", kafka::source::settings(&self.group))
            .with_all("kafka.", self.stores.kafka.brokers.security.settings())
    }
}
