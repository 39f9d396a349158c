//! Applies batches to the stores, in an order that counts each vote once even if a process crashes between two writes: first
//! the dead-letter topic and the log ([`log`]), then the tally ([`count`]). The applied offset moves together with the tally,
//! so all stores have every record below it. If a crash leaves the applied offset unchanged, the batch is applied again, and
//! its repeated writes have no effect.
//!
//! The two steps form a pipeline for each partition: a batch is logged while the one before it is counted. Each step takes the
//! batches of a partition one after the other, in the order of their offsets.

mod count;
mod log;

use kafka::dead_letter::DeadLetterTopic;
use kafka::{Brokers, TopicIds};

use crate::batch_trace::BatchTracer;
use crate::conflicts::Conflicts;
use crate::log_writer::LogWriter;
use crate::metrics::Metrics;
use crate::store_retry::StoreRetry;
use crate::tally::Tally;

pub use count::Outcome;
pub use log::{LogOutcome, LoggedBatch};

/// The stores to which batches are applied.
pub struct Stores {
    /// Redis.
    pub tally: Tally,
    /// MongoDB.
    pub log: LogWriter,
    /// Kafka's dead-letter topic.
    pub dead_letters: DeadLetterTopic,
    /// The brokers of Kafka.
    pub brokers: Brokers,
    /// The topic of the votes.
    pub topic: String,
    /// Returns the current id of that topic.
    pub topic_ids: TopicIds,
    /// The limit of undecodable records of a partition; see [`crate::dead_letter_limit`].
    pub dead_letter_limit: u32,
    /// Retries operations on Redis and reports its state.
    pub redis: StoreRetry,
    /// Retries operations on MongoDB and reports its state.
    pub mongodb: StoreRetry,
    /// Retries operations on Kafka and reports its state.
    pub kafka: StoreRetry,
    /// The metrics of applied batches.
    pub metrics: Metrics,
    /// Reports ids that were used for two different votes.
    pub conflicts: Conflicts,
    /// Creates the spans of batches; None if traces are off.
    pub tracer: Option<BatchTracer>,
}
