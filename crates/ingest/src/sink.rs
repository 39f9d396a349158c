//! Where accepted votes go. Kafka is one sink, the bridge's gRPC hop another, and a null sink measures what is left
//! when there is none.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use uuid::Uuid;
use vote::Route;

/// An accepted vote, ready to be made durable.
#[derive(Clone, Debug)]
pub struct EncodedVote {
    /// The vote's identity; the record's key is its text.
    pub vote_id: Uuid,
    /// Whether the client chose the id: such a record may come again and must then lie in the same partition.
    pub client_id: bool,
    /// The encoded event.
    pub payload: Vec<u8>,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition of the topic.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
}

/// The answer to an acknowledged vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The vote's identity.
    pub vote_id: Uuid,
    /// The route that took it.
    pub route: Route,
    /// Where it lies.
    pub position: Position,
}

/// Why a record was not acknowledged. None of them says that it was not written: only an id that the client chose makes
/// a repetition safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// No room for it now.
    #[error("no room for another vote")]
    Full,
    /// The sink cannot be reached, and why.
    #[error("{0}")]
    Unavailable(String),
    /// Not acknowledged in time.
    #[error("not acknowledged in time")]
    Deadline,
    /// A defect or a misconfiguration.
    #[error("{0}")]
    Internal(String),
}

/// Makes records durable.
pub trait Sink: Send + Sync + 'static {
    /// Returns when the record is durable, and only then.
    fn publish(&self, record: EncodedVote) -> impl Future<Output = Result<Position, SinkError>> + Send;

    /// Whether publishing has a chance now; the error is the reason why not. Called for every vote: must be cheap.
    fn available(&self) -> Result<(), SinkError>;
}

/// Acknowledges at once and keeps nothing: the floor of a benchmark, never a configuration for votes that count.
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
