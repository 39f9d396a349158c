//! Measures one vote from its arrival to its response.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use auth::Identity;
use opentelemetry_sdk::trace::SdkTracer;

use crate::failure_log::FailureLog;
use crate::request_span::Arrival;
use crate::stage_timings::StageTimings;
use crate::{
    IngestError, Outcome, Receipt, RequestMetrics, RequestSpan, Stage, TraceContext, TraceParent, TracedCall,
};

/// What a route records about its votes.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) metrics: RequestMetrics,
    pub(crate) failures: FailureLog,
    /// `None` if traces are off.
    pub(crate) tracer: Option<SdkTracer>,
}

impl Observer {
    /// Measures a stage that started at `started` and ends now. Returns its end.
    pub(crate) fn observe_stage(
        &self,
        stage: Stage,
        span: Option<&RequestSpan>,
        started: Instant,
    ) -> Instant {
        let now = Instant::now();
        let took = now - started;
        self.metrics.observe_stage(stage, took.as_secs_f64());
        if let Some(span) = span {
            span.add_stage(stage, started, took);
        }
        now
    }
}

/// The clock, the deadline and the outcome of a vote in flight. Dropping it records the vote in the metrics. Without a
/// call of [`RequestTimer::finish`] the outcome is cancelled: the client disconnected.
#[derive(Debug)]
pub struct RequestTimer {
    observer: Arc<Observer>,
    arrived: Instant,
    received_at_us: i64,
    deadline: Instant,
    outcome: Outcome,
    records_on_drop: bool,
    /// Boxed because few requests use it.
    stage_timings: Option<Box<StageTimings>>,
    /// `None` if traces are off.
    span: Option<RequestSpan>,
    /// Whether the span is that of a batch with this vote.
    is_part_of_batch: bool,
    /// `None` if authentication is off.
    client: Option<Arc<Identity>>,
}

impl RequestTimer {
    pub(crate) fn start(observer: Arc<Observer>, time_limit: Duration) -> Self {
        let arrived = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        observer.metrics.in_flight().inc();
        Self {
            observer,
            arrived,
            received_at_us: i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
            deadline: arrived + time_limit,
            outcome: Outcome::Cancelled,
            records_on_drop: true,
            stage_timings: None,
            span: None,
            is_part_of_batch: false,
            client: None,
        }
    }

    /// The deadline of the request.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time at which the vote arrived: microseconds since the Unix epoch.
    pub fn received_at_us(&self) -> i64 {
        self.received_at_us
    }

    /// Moves the deadline to `time_limit` after the arrival, if that is earlier.
    pub fn shorten_deadline(&mut self, time_limit: Duration) {
        self.deadline = self.deadline.min(self.arrived + time_limit);
    }

    /// Sets who sent the request: the result of [`crate::Ingest::authenticate`].
    pub fn set_client(&mut self, client: Option<Arc<Identity>>) {
        self.client = client;
    }

    /// Who sent the request; `None` if authentication is off.
    pub(crate) fn client(&self) -> Option<&Identity> {
        self.client.as_deref()
    }

    /// Starts the span of the request, with its arrival as the start. Does nothing without `parent`, that is if traces are
    /// off.
    pub fn start_span(&mut self, call: TracedCall, parent: Option<&TraceParent>) {
        if let (Some(parent), Some(tracer)) = (parent, &self.observer.tracer) {
            let since_epoch = Duration::from_micros(self.received_at_us.unsigned_abs());
            let arrival = Arrival {
                instant: self.arrived,
                time: UNIX_EPOCH + since_epoch,
            };
            self.span = Some(RequestSpan::start(tracer, call, parent, arrival));
        }
    }

    /// The span of the request; `None` if traces are off.
    pub fn span(&self) -> Option<RequestSpan> {
        self.span.clone()
    }

    /// The trace of the request, for the next hop; `None` if traces are off.
    pub(crate) fn trace_context(&self) -> Option<Box<TraceContext>> {
        self.span.as_ref().map(|span| Box::new(span.trace_context()))
    }

    /// Runs and measures a step.
    pub fn stage<T>(&self, stage: Stage, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.stage_since(stage, started);
        result
    }

    /// Measures a step that started at `started` and ends now. Returns its end.
    pub fn stage_since(&self, stage: Stage, started: Instant) -> Instant {
        let now = self.observer.observe_stage(stage, self.span.as_ref(), started);
        if let Some(timings) = &self.stage_timings {
            timings.add(stage, now - started);
        }
        now
    }

    /// Records the time of each following stage, for [`RequestTimer::server_timing`].
    pub fn record_stage_timings(&mut self) {
        self.stage_timings = Some(Box::default());
    }

    /// The value of a `Server-Timing` header with the stages so far and the time since arrival. `None` unless
    /// [`RequestTimer::record_stage_timings`] was called.
    pub fn server_timing(&self) -> Option<String> {
        let timings = self.stage_timings.as_ref()?;
        Some(timings.header(self.arrived.elapsed()))
    }

    /// Replaces the timer of a batch request by one timer for each of its `votes` votes. They share its span.
    pub fn split(mut self, votes: usize) -> Vec<Self> {
        self.records_on_drop = false;
        let vote_timer = |_| {
            self.observer.metrics.in_flight().inc();
            Self {
                observer: Arc::clone(&self.observer),
                arrived: self.arrived,
                received_at_us: self.received_at_us,
                deadline: self.deadline,
                outcome: Outcome::Cancelled,
                records_on_drop: true,
                stage_timings: None,
                span: self.span.clone(),
                is_part_of_batch: true,
                client: self.client.clone(),
            }
        };
        (0..votes).map(vote_timer).collect()
    }

    /// Records the outcome and the duration, and logs the reason of a failure of the server. Call it when the response is
    /// ready; sending the response is not measured.
    pub fn finish(mut self, result: &Result<Receipt, IngestError>) {
        self.outcome = match result {
            Ok(_) => Outcome::Accepted,
            Err(error) => {
                let trace_id = self.span.as_ref().map(RequestSpan::trace_id);
                self.observer.failures.record(error, trace_id);
                error.mapping().outcome
            }
        };
        match &self.span {
            Some(span) if self.is_part_of_batch => span.count_vote(result.is_ok()),
            Some(span) => span.answer_vote(result),
            None => {}
        }
    }
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        self.observer.metrics.in_flight().dec();
        if self.records_on_drop {
            self.observer
                .metrics
                .observe_duration(self.outcome, self.arrived.elapsed().as_secs_f64());
        }
    }
}
