//! One vote between its arrival and its answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::timing::Timing;
use crate::{CallMetrics, Outcome, Receipt, Refusal, Stage};

/// A vote in flight. Measures itself, and is recorded when dropped: a call that nobody finished is a cancelled one,
/// which is how a client that leaves is seen.
#[derive(Debug)]
pub struct Call {
    metrics: Arc<CallMetrics>,
    arrived: Instant,
    received_at_us: i64,
    deadline: Instant,
    outcome: Outcome,
    recorded: bool,
    /// Boxed: few calls are asked for it.
    timing: Option<Box<Timing>>,
}

impl Call {
    pub(crate) fn begin(metrics: Arc<CallMetrics>, time_limit: Duration) -> Self {
        let arrived = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics.in_flight().inc();
        Self {
            metrics,
            arrived,
            received_at_us: i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
            deadline: arrived + time_limit,
            outcome: Outcome::Cancelled,
            recorded: true,
            timing: None,
        }
    }

    /// When nobody waits for the answer any more.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Microseconds since the Unix epoch at which the vote arrived.
    pub fn received_at_us(&self) -> i64 {
        self.received_at_us
    }

    /// Takes the client's own time limit into account, where it is the shorter one.
    pub fn limit(&mut self, time_limit: Duration) {
        self.deadline = self.deadline.min(self.arrived + time_limit);
    }

    /// Runs and measures a step.
    pub fn stage<T>(&self, stage: Stage, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.stage_since(stage, started);
        result
    }

    /// Measures a step that started at `started` and ends now.
    pub(crate) fn stage_since(&self, stage: Stage, started: Instant) {
        let took = started.elapsed();
        self.metrics.observe_stage(stage, took.as_secs_f64());
        if let Some(timing) = &self.timing {
            timing.add(stage, took);
        }
    }

    /// From now on remembers the time of each stage.
    pub fn keep_timing(&mut self) {
        self.timing = Some(Box::default());
    }

    /// The stages so far and the time since arrival as the value of a `Server-Timing` header, if they were kept.
    pub fn timing(&self) -> Option<String> {
        let timing = self.timing.as_ref()?;
        Some(timing.header(self.arrived.elapsed()))
    }

    /// One call for each of `votes` votes that arrived together; they take this one's place.
    pub fn split(mut self, votes: usize) -> Vec<Self> {
        self.recorded = false;
        let sibling = |_| {
            self.metrics.in_flight().inc();
            Self {
                metrics: Arc::clone(&self.metrics),
                arrived: self.arrived,
                received_at_us: self.received_at_us,
                deadline: self.deadline,
                outcome: Outcome::Cancelled,
                recorded: true,
                timing: None,
            }
        };
        (0..votes).map(sibling).collect()
    }

    /// Notes how the vote ended and when. The answer is ready: what follows is the transport's.
    pub fn finish(mut self, result: &Result<Receipt, Refusal>) {
        self.outcome = match result {
            Ok(_) => Outcome::Accepted,
            Err(refusal) => refusal.facts().outcome,
        };
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.metrics.in_flight().dec();
        if self.recorded {
            self.metrics
                .observe_duration(self.outcome, self.arrived.elapsed().as_secs_f64());
        }
    }
}
