//! The faults that lie between a vote and its sink.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Confound, ConfoundArgs, delay};
use crate::{EncodedVote, Position, Sink, SinkError};

const DELAY: Duration = Duration::from_millis(1);
/// Where a record lies that is acknowledged before anybody knows.
const NOWHERE: Position = Position {
    partition: -1,
    offset: -1,
};

/// A sink, and what is wrong in front of it.
#[derive(Debug)]
pub struct Confounded<S> {
    sink: Arc<S>,
    delays: bool,
    answers_first: bool,
}

impl<S> Confounded<S> {
    /// `sink` with those of `confounds` that are about sinks, or `sink` back where there is none of them.
    pub fn new(sink: S, confounds: &ConfoundArgs) -> Result<Self, S> {
        let delays = confounds.has(Confound::Delay1Ms);
        let answers_first = confounds.has(Confound::AnswerBeforeWork);
        if !delays && !answers_first {
            return Err(sink);
        }
        Ok(Self {
            sink: Arc::new(sink),
            delays,
            answers_first,
        })
    }

    /// The sink behind the faults.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}

impl<S: Sink> Sink for Confounded<S> {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        if self.delays {
            let waited = delay::wait(Instant::now(), DELAY).await;
            waited.map_err(|error| SinkError::Internal(format!("the delay failed: {error}")))?;
        }
        if self.answers_first {
            let sink = Arc::clone(&self.sink);
            // What becomes of it is nobody's concern: that is the fault.
            tokio::spawn(async move { sink.publish(record).await });
            return Ok(NOWHERE);
        }
        self.sink.publish(record).await
    }

    fn available(&self) -> Result<(), SinkError> {
        if self.answers_first {
            return Ok(());
        }
        self.sink.available()
    }
}
