//! The faults that a sink injects before it publishes a vote.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::{EncodedVote, Position, Sink, SinkError};

use crate::{FaultInjectionArgs, InjectedFault, delay};

const DELAY: Duration = Duration::from_millis(1);
/// The position in the receipt of a vote that is acknowledged before it is published.
const UNKNOWN_POSITION: Position = Position {
    partition: -1,
    offset: -1,
};

/// Injects faults before it passes a vote to its sink.
#[derive(Debug)]
pub struct FaultySink<S> {
    sink: Arc<S>,
    delays: bool,
    acknowledges_before_publishing: bool,
}

impl<S> FaultySink<S> {
    /// Wraps `sink` in the faults of `args` that apply to sinks. Returns `sink` as the error if there are none.
    pub fn new(sink: S, args: &FaultInjectionArgs) -> Result<Self, S> {
        let delays = args.has(InjectedFault::Delay1Ms);
        let acknowledges_before_publishing = args.has(InjectedFault::AnswerBeforeWork);
        if !delays && !acknowledges_before_publishing {
            return Err(sink);
        }
        Ok(Self {
            sink: Arc::new(sink),
            delays,
            acknowledges_before_publishing,
        })
    }

    /// The wrapped sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}

impl<S: Sink> Sink for FaultySink<S> {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        if self.delays {
            let waited = delay::wait(Instant::now(), DELAY).await;
            waited.map_err(|error| SinkError::Internal(format!("the injected delay failed: {error}")))?;
        }
        if self.acknowledges_before_publishing {
            let sink = Arc::clone(&self.sink);
            // The fault: the result is ignored, so an acknowledged vote may be lost.
            tokio::spawn(async move { sink.publish(record).await });
            return Ok(UNKNOWN_POSITION);
        }
        self.sink.publish(record).await
    }

    fn available(&self) -> Result<(), SinkError> {
        if self.acknowledges_before_publishing {
            return Ok(());
        }
        self.sink.available()
    }
}
