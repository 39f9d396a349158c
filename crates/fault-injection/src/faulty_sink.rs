//! The faults that a sink injects before it publishes a vote.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ingest::{EncodedVote, Position, Sink, SinkError};

use crate::{FaultInjectionArgs, InjectedFault, cpu_time, delay};

const DELAY: Duration = Duration::from_micros(100);
const RARE_DELAY: Duration = Duration::from_millis(5);
/// One vote in this many has the rare delay.
const RARE_DELAY_EVERY: usize = 25;
const CPU_TIME: Duration = Duration::from_micros(25);
/// The position in the receipt of a vote that is acknowledged before it is published.
const UNKNOWN_POSITION: Position = Position {
    partition: -1,
    offset: -1,
};

/// Injects faults before it passes a vote to its sink.
#[derive(Debug)]
pub struct FaultySink<S> {
    sink: Arc<S>,
    faults: FaultInjectionArgs,
    votes: AtomicUsize,
}

impl<S> FaultySink<S> {
    /// Wraps `sink` in the faults of `args` that apply to sinks. Returns `sink` as the error if there are none.
    pub fn new(sink: S, args: &FaultInjectionArgs) -> Result<Self, S> {
        const FAULTS: [InjectedFault; 4] = [
            InjectedFault::Delay100Us,
            InjectedFault::Delay25th5Ms,
            InjectedFault::Cpu25Us,
            InjectedFault::AnswerBeforeWork,
        ];
        if !FAULTS.iter().any(|fault| args.has(*fault)) {
            return Err(sink);
        }
        Ok(Self {
            sink: Arc::new(sink),
            faults: args.clone(),
            votes: AtomicUsize::new(0),
        })
    }

    /// The delay of the next vote, if it has one.
    fn next_delay(&self) -> Option<Duration> {
        if self.faults.has(InjectedFault::Delay100Us) {
            return Some(DELAY);
        }
        let number = self.votes.fetch_add(1, Ordering::Relaxed);
        let is_delayed =
            self.faults.has(InjectedFault::Delay25th5Ms) && number.is_multiple_of(RARE_DELAY_EVERY);
        is_delayed.then_some(RARE_DELAY)
    }

    /// The wrapped sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}

impl<S: Sink> Sink for FaultySink<S> {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        if let Some(length) = self.next_delay() {
            let waited = delay::wait(Instant::now(), length).await;
            waited.map_err(|error| SinkError::Internal(format!("the injected delay failed: {error}")))?;
        }
        if self.faults.has(InjectedFault::Cpu25Us) {
            cpu_time::spend(CPU_TIME).map_err(|error| {
                SinkError::Internal(format!("the injected use of CPU time failed: {error}"))
            })?;
        }
        if self.faults.has(InjectedFault::AnswerBeforeWork) {
            let sink = Arc::clone(&self.sink);
            // The fault: the result is ignored, so an acknowledged vote may be lost.
            tokio::spawn(async move { sink.publish(record).await });
            return Ok(UNKNOWN_POSITION);
        }
        self.sink.publish(record).await
    }

    fn available(&self) -> Result<(), SinkError> {
        if self.faults.has(InjectedFault::AnswerBeforeWork) {
            return Ok(());
        }
        self.sink.available()
    }
}
