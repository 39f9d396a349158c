//! The interface to the destination of accepted votes. The sinks are Kafka, the upstream of the bridge, and the null
//! sink for measurements without Kafka.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use futures::future::join_all;
use tokio::time::timeout_at;
use uuid::Uuid;
use vote::Route;

use crate::TraceContext;

/// An accepted vote, ready to publish. To add a record header, add a field here, fill it in `Ingest::publish`, and write it
/// in `vote_record` in `crates/kafka/src/record.rs`.
#[derive(Clone, Debug)]
pub struct EncodedVote {
    /// The identity of the vote; its text is the key of the record.
    pub vote_id: Uuid,
    /// Whether the client chose the id. Such a vote may be sent again, and all copies must go to one partition.
    pub id_from_client: bool,
    /// The encoded event.
    pub payload: Vec<u8>,
    /// The deadline of the request.
    pub deadline: Instant,
    /// The trace of the request, if traces are on. Boxed because they are usually off.
    pub trace: Option<Box<TraceContext>>,
}

/// The position of a record in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition of the topic.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
}

/// Confirms that a vote is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The identity of the vote.
    pub vote_id: Uuid,
    /// The route that accepted it.
    pub route: Route,
    /// The position of its record.
    pub position: Position,
}

/// Why a record was not acknowledged. The record may still have been written, so a repetition is safe only if the
/// client chose the id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The sink's queue is full.
    #[error("the queue of the sink is full")]
    Full,
    /// The sink cannot be reached; holds the reason.
    #[error("{0}")]
    Unavailable(String),
    /// Not acknowledged in time.
    #[error("not acknowledged in time")]
    Deadline,
    /// A defect or a misconfiguration; holds the reason.
    #[error("{0}")]
    Internal(String),
}

/// Stores votes durably.
pub trait Sink: Send + Sync + 'static {
    /// Returns `Ok` only after the record is durable.
    fn publish(&self, record: EncodedVote) -> impl Future<Output = Result<Position, SinkError>> + Send;

    /// Publishes records at the same time. Returns one result per record, in order; [`SinkError::Deadline`] for a record that is
    /// not acknowledged by its deadline.
    fn publish_all(
        &self,
        records: Vec<EncodedVote>,
    ) -> impl Future<Output = Vec<Result<Position, SinkError>>> + Send {
        join_all(records.into_iter().map(async |record| {
            let deadline = record.deadline.into();
            let published = timeout_at(deadline, self.publish(record)).await;
            published.unwrap_or(Err(SinkError::Deadline))
        }))
    }

    /// Whether the sink can publish now; the error is the reason why not. Called for every vote, so it must be cheap.
    fn available(&self) -> Result<(), SinkError>;
}

/// Acknowledges at once and stores nothing. Use it only for benchmarks of a route without Kafka.
#[derive(Debug, Default)]
pub struct NullSink {
    next_offset: AtomicI64,
}

impl Sink for NullSink {
    async fn publish(&self, _: EncodedVote) -> Result<Position, SinkError> {
        Ok(Position {
            partition: 0,
            offset: self.next_offset.fetch_add(1, Ordering::Relaxed),
        })
    }

    fn available(&self) -> Result<(), SinkError> {
        Ok(())
    }
}
