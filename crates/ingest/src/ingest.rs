//! The use case: from a decoded vote to a receipt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{Authenticator, Credentials, Identity};
use opentelemetry_sdk::trace::SdkTracer;
use tokio::time::timeout_at;
use uuid::Uuid;
use vote::{Draft, Route, ValidVote, VoteEvent};

use crate::admission::Admitted;
use crate::failure_log::FailureLog;
use crate::request_timer::Observer;
use crate::{
    Admission, Catalogue, EncodedVote, IngestError, MAX_BATCH_VOTES, MemoryBudget, MemoryReservation,
    Position, Receipt, RequestMetrics, RequestSpan, RequestTimer, Sink, SinkError, Stage, TraceHeaders,
    TraceParent, vote_id, vote_rules,
};

/// The steps of one route between decoding a vote and writing its response.
#[derive(Debug)]
pub struct Ingest<S> {
    route: Route,
    sink: Arc<S>,
    observer: Arc<Observer>,
    limits: Limits,
    /// `None` if authentication is off.
    authenticator: Option<Arc<Authenticator>>,
}

/// The limits of one route.
#[derive(Debug)]
pub struct Limits {
    /// Votes in flight.
    pub admission: Admission,
    /// Buffered bytes; shared by all routes of a process.
    pub memory: Arc<MemoryBudget>,
    /// Time from the arrival of a vote to its response.
    pub deadline: Duration,
    /// The bands and albums that can be voted for; `None` for all.
    pub catalogue: Option<Arc<Catalogue>>,
}

/// A vote that is ready to be published.
struct Prepared {
    record: EncodedVote,
    /// The end of the stage before.
    encoded_at: Instant,
}

impl<S: Sink> Ingest<S> {
    /// A route that publishes to `sink` within `limits`.
    pub fn new(route: Route, sink: Arc<S>, metrics: RequestMetrics, limits: Limits) -> Self {
        Self {
            route,
            sink,
            observer: Arc::new(Observer {
                metrics,
                failures: FailureLog::new(route),
                tracer: None,
            }),
            limits,
            authenticator: None,
        }
    }

    /// Accepts only the votes of those whom `authenticator` knows. Without it, authentication is off.
    #[must_use]
    pub fn with_authenticator(mut self, authenticator: Option<Arc<Authenticator>>) -> Self {
        self.authenticator = authenticator;
        self
    }

    /// Adds the spans of requests. Without a tracer, traces are off.
    #[must_use]
    pub fn with_tracer(mut self, tracer: Option<SdkTracer>) -> Self {
        // No timer shares the observer yet.
        if let Some(observer) = Arc::get_mut(&mut self.observer) {
            observer.tracer = tracer;
        }
        self
    }

    /// The route that this instance serves.
    pub fn route(&self) -> Route {
        self.route
    }

    /// Maximum number of votes in flight. A stream that keeps fewer cannot overload the route alone.
    pub fn max_in_flight(&self) -> usize {
        self.limits.admission.max_in_flight() as usize
    }

    /// Starts the clock of a request. Call it when the request arrives.
    pub fn start_timer(&self) -> RequestTimer {
        RequestTimer::start(Arc::clone(&self.observer), self.limits.deadline)
    }

    /// Who sent a request; `None` if authentication is off. `credentials` is called only if it is on. Pass the result to
    /// [`RequestTimer::set_client`]: its rate limits the votes.
    pub fn authenticate<'a>(
        &self,
        credentials: impl FnOnce() -> Credentials<'a>,
    ) -> Result<Option<Arc<Identity>>, IngestError> {
        match &self.authenticator {
            None => Ok(None),
            Some(authenticator) => Ok(Some(authenticator.identify(&credentials())?)),
        }
    }

    /// The span of the client that sent a request; `None` if traces are off. `headers` is called only if they are on.
    pub fn trace_parent<'a>(&self, headers: impl FnOnce() -> TraceHeaders<'a>) -> Option<TraceParent> {
        self.observer.tracer.as_ref()?;
        Some(TraceParent::read(&headers()))
    }

    /// Runs and measures a step of a batch as a whole, after the timers of its votes have finished. `span` is the span of the
    /// batch, from [`RequestTimer::span`].
    pub fn stage<T>(&self, stage: Stage, span: Option<&RequestSpan>, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.stage_since(stage, span, started);
        result
    }

    /// Measures a step of a batch as a whole that started at `started` and ends now.
    pub fn stage_since(&self, stage: Stage, span: Option<&RequestSpan>, started: Instant) {
        self.observer.observe_stage(stage, span, started);
    }

    /// An empty memory reservation for one request. Keep it until the response is ready.
    pub fn reservation(&self) -> MemoryReservation {
        self.limits.memory.reservation()
    }

    /// Counts a request that is rejected for overload before its body is read, and returns the error.
    pub fn reject_unread(&self) -> IngestError {
        let error = IngestError::Overloaded;
        self.start_timer().finish(&Err(error.clone()));
        error
    }

    /// Accepts one decoded vote. `Ok` means: durable in the sink.
    pub async fn accept(&self, timer: &RequestTimer, draft: Draft) -> Result<Receipt, IngestError> {
        let _admitted = self.admit(timer.client(), 1)?;
        let prepared = self.prepare(timer, draft)?;
        self.publish(timer, prepared).await
    }

    /// Accepts a batch. Admission covers the batch as a whole; each vote is then accepted or rejected on its own.
    /// Returns one result per draft, in order.
    pub async fn accept_batch<E: Into<IngestError>>(
        &self,
        timers: Vec<RequestTimer>,
        drafts: Vec<Result<Draft, E>>,
    ) -> Result<Vec<Result<Receipt, IngestError>>, IngestError> {
        let admitted = if drafts.len() > MAX_BATCH_VOTES {
            Err(IngestError::BatchTooLarge)
        } else {
            self.admit(timers.first().and_then(RequestTimer::client), drafts.len())
        };
        let _admitted = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                let rejected = Err(error.clone());
                for timer in timers {
                    timer.finish(&rejected);
                }
                return Err(error);
            }
        };
        let votes = timers.into_iter().zip(drafts).map(|(timer, draft)| {
            let draft = draft.map_err(Into::into);
            let prepared = draft.and_then(|draft| self.prepare(&timer, draft));
            (timer, prepared)
        });
        let results = self.publish_all(votes.collect()).await.into_iter();
        let results = results.map(|(timer, result)| {
            timer.finish(&result);
            result
        });
        Ok(results.collect())
    }

    /// Accepts votes that arrived together. Admission covers each vote. Returns the votes in the same order, with their
    /// results.
    pub async fn accept_group<E: Into<IngestError>>(
        &self,
        votes: Vec<(RequestTimer, Result<Draft, E>)>,
    ) -> Vec<(RequestTimer, Result<Receipt, IngestError>)> {
        let mut admitted = Vec::with_capacity(votes.len());
        let votes = votes.into_iter().map(|(timer, draft)| {
            let draft = draft.map_err(Into::into);
            let prepared = draft.and_then(|draft| {
                admitted.push(self.admit(timer.client(), 1)?);
                self.prepare(&timer, draft)
            });
            (timer, prepared)
        });
        let votes = votes.collect();
        self.publish_all(votes).await
    }

    /// Publishes an event that the bridge has accepted, with the route, id and time stamp that the bridge gave it.
    pub async fn forward(&self, timer: &RequestTimer, event: VoteEvent) -> Result<Receipt, IngestError> {
        let _admitted = self.admit(timer.client(), 1)?;
        let prepared = self.encode(timer, event, Instant::now())?;
        self.publish(timer, prepared).await
    }

    /// Admits `votes` votes of a client, all or none. Votes that the process refuses do not count against its rate.
    fn admit(&self, client: Option<&Identity>, votes: usize) -> Result<Admitted<'_>, IngestError> {
        let admitted = self.limits.admission.admit(votes)?;
        if let Some(client) = client {
            client.spend(votes)?;
        }
        Ok(admitted)
    }

    /// The error for a request that reached its deadline: the reason why the sink is unavailable, if it is.
    fn deadline_error(&self) -> IngestError {
        match self.sink.available() {
            Ok(()) => IngestError::Deadline,
            Err(reason) => reason.into(),
        }
    }

    /// Validates and encodes a vote.
    fn prepare(&self, timer: &RequestTimer, draft: Draft) -> Result<Prepared, IngestError> {
        let started = Instant::now();
        let checked = vote_rules::check(draft, self.limits.catalogue.as_deref());
        let validated = timer.stage_since(Stage::Validate, started);
        let ValidVote { vote, chosen_id } = checked?;
        let received_at_us = timer.received_at_us();
        let event = VoteEvent {
            vote_id: chosen_id.unwrap_or_else(|| vote_id::new(received_at_us)),
            id_from_client: chosen_id.is_some(),
            vote,
            route: self.route,
            received_at_us,
        };
        self.encode(timer, event, validated)
    }

    /// Encodes an event. `started` is the end of the stage before.
    fn encode(
        &self,
        timer: &RequestTimer,
        event: VoteEvent,
        started: Instant,
    ) -> Result<Prepared, IngestError> {
        // Fail at once while the sink is known to be down; do not wait for the deadline.
        self.sink.available()?;
        let record = EncodedVote {
            vote_id: event.vote_id,
            id_from_client: event.id_from_client,
            payload: event.encode(),
            deadline: timer.deadline(),
            trace: timer.trace_context(),
        };
        let encoded_at = timer.stage_since(Stage::Encode, started);
        Ok(Prepared { record, encoded_at })
    }

    async fn publish(&self, timer: &RequestTimer, vote: Prepared) -> Result<Receipt, IngestError> {
        let Prepared { record, encoded_at } = vote;
        let vote_id = record.vote_id;
        let published = timeout_at(timer.deadline().into(), self.sink.publish(record)).await;
        timer.stage_since(Stage::Publish, encoded_at);
        self.receipt(vote_id, published.unwrap_or(Err(SinkError::Deadline)))
    }

    /// Publishes those votes that could be prepared. Returns all, in order.
    async fn publish_all(
        &self,
        votes: Vec<(RequestTimer, Result<Prepared, IngestError>)>,
    ) -> Vec<(RequestTimer, Result<Receipt, IngestError>)> {
        let mut records = Vec::with_capacity(votes.len());
        let votes = votes.into_iter().map(|(timer, prepared)| {
            let sent = prepared.map(|Prepared { record, encoded_at }| {
                let vote_id = record.vote_id;
                records.push(record);
                (vote_id, encoded_at)
            });
            (timer, sent)
        });
        let votes: Vec<_> = votes.collect();
        let mut published = self.sink.publish_all(records).await.into_iter();
        let results = votes.into_iter().map(|(timer, sent)| {
            let result = sent.and_then(|(vote_id, encoded_at)| {
                timer.stage_since(Stage::Publish, encoded_at);
                self.receipt(vote_id, published.next().unwrap_or(Err(SinkError::Deadline)))
            });
            (timer, result)
        });
        results.collect()
    }

    fn receipt(&self, vote_id: Uuid, published: Result<Position, SinkError>) -> Result<Receipt, IngestError> {
        let position = published.map_err(|error| match error {
            SinkError::Deadline => self.deadline_error(),
            error => error.into(),
        })?;
        Ok(Receipt {
            vote_id,
            route: self.route,
            position,
        })
    }
}
