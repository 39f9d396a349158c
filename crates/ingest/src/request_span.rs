//! The span of a request, with one child span for each stage. The spans have the times that the histograms get: nothing is
//! measured twice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceId, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::trace_context::{TraceContext, TraceHeaders};
use crate::{IngestError, Receipt, Stage};

/// The call that a span describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TracedCall {
    /// A request to the HTTP API.
    Http {
        /// Method and path, such as `POST /v1/votes`.
        name: &'static str,
        /// The status of a response without an error.
        success: u16,
    },
    /// A gRPC call.
    Grpc {
        /// Service and method, such as `votes.v1.VoteService/CastVote`.
        name: &'static str,
    },
}

/// The span of the client that sent a request; a new trace starts if there is none.
#[derive(Clone, Debug)]
pub struct TraceParent(Context);

/// The span of one request. Clones share it: it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct RequestSpan(State);

#[derive(Clone, Debug)]
enum State {
    /// The trace is not sampled, so nothing is recorded: only the ids are kept, for the log and the next hop.
    NotSampled(SpanContext),
    Recording(Arc<Recording>),
}

#[derive(Debug)]
struct Recording {
    tracer: SdkTracer,
    call: TracedCall,
    /// Contains the span.
    context: Context,
    arrival: Arrival,
    recorded: Mutex<Recorded>,
}

/// The arrival of a request on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) instant: Instant,
    pub(crate) time: SystemTime,
}

#[derive(Debug, Default)]
struct Recorded {
    stages: [Option<StageTime>; Stage::ALL.len()],
    accepted_votes: i64,
    rejected_votes: i64,
    is_answered: bool,
}

/// The time from the first start of a stage to its last end: the votes of a batch pass it one after the other.
#[derive(Clone, Copy, Debug)]
struct StageTime {
    started: Instant,
    ended: Instant,
    votes: i64,
}

impl TracedCall {
    const fn name(self) -> &'static str {
        match self {
            Self::Http { name, .. } | Self::Grpc { name } => name,
        }
    }

    fn attributes(self) -> Vec<KeyValue> {
        match self {
            Self::Http { name, .. } => {
                let (method, path) = name.split_once(' ').unwrap_or(("", name));
                vec![
                    KeyValue::new("http.request.method", method),
                    KeyValue::new("http.route", path),
                ]
            }
            Self::Grpc { name } => {
                let (service, method) = name.split_once('/').unwrap_or(("", name));
                vec![
                    KeyValue::new("rpc.system", "grpc"),
                    KeyValue::new("rpc.service", service),
                    KeyValue::new("rpc.method", method),
                ]
            }
        }
    }

    /// The status that the response has.
    fn status(self, result: Result<(), &IngestError>) -> KeyValue {
        let mapping = result.err().map(IngestError::mapping);
        match self {
            Self::Http { success, .. } => {
                let status = mapping.map_or(success, |mapping| mapping.status);
                KeyValue::new("http.response.status_code", i64::from(status))
            }
            Self::Grpc { .. } => {
                let code = mapping.map_or(0, |mapping| mapping.grpc_code);
                KeyValue::new("rpc.grpc.status_code", i64::from(code))
            }
        }
    }
}

impl TraceParent {
    pub(crate) fn read(headers: &TraceHeaders<'_>) -> Self {
        Self(headers.context())
    }
}

impl Arrival {
    fn time_of(self, instant: Instant) -> SystemTime {
        self.time + instant.saturating_duration_since(self.instant)
    }
}

impl RequestSpan {
    pub(crate) fn start(
        tracer: &SdkTracer,
        call: TracedCall,
        parent: &TraceParent,
        arrival: Arrival,
    ) -> Self {
        let builder = SpanBuilder::from_name(call.name())
            .with_kind(SpanKind::Server)
            .with_start_time(arrival.time);
        let mut span = tracer.build_with_context(builder, &parent.0);
        if !span.is_recording() {
            return Self(State::NotSampled(span.span_context().clone()));
        }
        span.set_attributes(call.attributes());
        Self(State::Recording(Arc::new(Recording {
            tracer: tracer.clone(),
            call,
            context: Context::new().with_span(span),
            arrival,
            recorded: Mutex::default(),
        })))
    }

    /// The trace of the request.
    pub(crate) fn trace_id(&self) -> TraceId {
        self.span_context().trace_id()
    }

    /// The context for the next hop.
    pub(crate) fn trace_context(&self) -> TraceContext {
        TraceContext::new(self.span_context())
    }

    fn span_context(&self) -> SpanContext {
        match &self.0 {
            State::NotSampled(context) => context.clone(),
            State::Recording(recording) => recording.context.span().span_context().clone(),
        }
    }

    fn recording(&self) -> Option<&Recording> {
        match &self.0 {
            State::NotSampled(_) => None,
            State::Recording(recording) => Some(recording),
        }
    }

    /// Adds a stage that has ended.
    pub(crate) fn add_stage(&self, stage: Stage, started: Instant, took: Duration) {
        let Some(recording) = self.recording() else {
            return;
        };
        recording.record(|recorded| {
            let Some(time) = recorded.stages.get_mut(stage as usize) else {
                return;
            };
            let ended = started + took;
            let before = time.unwrap_or(StageTime {
                started,
                ended,
                votes: 0,
            });
            *time = Some(StageTime {
                started: before.started.min(started),
                ended: before.ended.max(ended),
                votes: before.votes + 1,
            });
        });
    }

    /// Notes the result of one vote of a batch.
    pub(crate) fn count_vote(&self, is_accepted: bool) {
        let Some(recording) = self.recording() else {
            return;
        };
        recording.record(|recorded| {
            let votes = if is_accepted {
                &mut recorded.accepted_votes
            } else {
                &mut recorded.rejected_votes
            };
            *votes += 1;
        });
    }

    /// Notes the result of a request that carries one vote.
    pub(crate) fn answer_vote(&self, result: &Result<Receipt, IngestError>) {
        if let (Some(recording), Ok(receipt)) = (self.recording(), result) {
            let vote_id = KeyValue::new("dualpath.vote_id", receipt.vote_id.to_string());
            recording.context.span().set_attribute(vote_id);
        }
        self.answer(result.as_ref().map(drop));
    }

    /// Notes the result of a request as a whole. Without it, the span shows that the client disconnected.
    pub fn answer(&self, result: Result<(), &IngestError>) {
        if let Some(recording) = self.recording() {
            recording.record(|recorded| recorded.is_answered = true);
            recording.set_result(result);
        }
    }
}

impl Recording {
    fn record(&self, record: impl FnOnce(&mut Recorded)) {
        record(&mut self.recorded.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn set_result(&self, result: Result<(), &IngestError>) {
        let span = self.context.span();
        let outcome = result
            .err()
            .map_or("accepted", |error| error.mapping().outcome.as_str());
        span.set_attribute(KeyValue::new("dualpath.outcome", outcome));
        span.set_attribute(self.call.status(result));
        if let Err(error) = result
            && error.mapping().status >= 500
        {
            span.set_attribute(KeyValue::new("error.type", outcome));
            span.set_status(Status::error(error.reason().to_owned()));
        }
    }

    fn add_stage_span(&self, stage: Stage, time: StageTime) {
        let mut builder =
            SpanBuilder::from_name(stage.as_str()).with_start_time(self.arrival.time_of(time.started));
        if time.votes > 1 {
            builder = builder.with_attributes([KeyValue::new("dualpath.votes", time.votes)]);
        }
        let mut span = self.tracer.build_with_context(builder, &self.context);
        span.end_with_timestamp(self.arrival.time_of(time.ended));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let recorded = std::mem::take(self.recorded.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (stage, time) in Stage::ALL.into_iter().zip(recorded.stages) {
            if let Some(time) = time {
                self.add_stage_span(stage, time);
            }
        }
        if !recorded.is_answered {
            self.set_result(Err(&IngestError::ClientDisconnected));
        }
        let span = self.context.span();
        if recorded.accepted_votes + recorded.rejected_votes > 0 {
            span.set_attribute(KeyValue::new("dualpath.accepted_votes", recorded.accepted_votes));
            span.set_attribute(KeyValue::new("dualpath.rejected_votes", recorded.rejected_votes));
        }
        span.end();
    }
}
