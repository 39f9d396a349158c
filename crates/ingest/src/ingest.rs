//! The use case.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::timeout_at;
use uuid::Uuid;
use vote::{Draft, Route, Valid, VoteEvent};

use crate::{
    Admission, Call, CallMetrics, EncodedVote, HeldBytes, MAX_BATCH_VOTES, Position, Receipt, Refusal,
    Reservation, Sink, SinkError, Stage,
};

/// A route's way from a draft to a receipt.
#[derive(Debug)]
pub struct Ingest<S> {
    route: Route,
    sink: Arc<S>,
    metrics: Arc<CallMetrics>,
    limits: Limits,
}

/// What a route takes at most.
#[derive(Debug)]
pub struct Limits {
    /// Votes in flight.
    pub admission: Admission,
    /// Bytes held; shared by all routes of a process.
    pub held: Arc<HeldBytes>,
    /// Time from a vote's arrival to its answer.
    pub deadline: Duration,
}

impl<S: Sink> Ingest<S> {
    /// A route into `sink`, within limits.
    pub fn new(route: Route, sink: Arc<S>, metrics: CallMetrics, limits: Limits) -> Self {
        Self {
            route,
            sink,
            metrics: Arc::new(metrics),
            limits,
        }
    }

    /// The route that this is.
    pub fn route(&self) -> Route {
        self.route
    }

    /// A vote arrives: its clock starts.
    pub fn begin(&self) -> Call {
        Call::begin(Arc::clone(&self.metrics), self.limits.deadline)
    }

    /// Runs and measures a step that a batch takes as a whole, once its calls are over.
    pub fn stage<T>(&self, stage: Stage, step: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = step();
        self.metrics.observe_stage(stage, started.elapsed().as_secs_f64());
        result
    }

    /// An account for the bytes of one request, to be kept until its answer is ready.
    pub fn reservation(&self) -> Reservation {
        self.limits.held.reservation()
    }

    /// Counts a vote that there is not even room to read, and gives its refusal.
    pub fn refuse_unread(&self) -> Refusal {
        let refusal = Refusal::Overloaded;
        self.begin().finish(&Err(refusal.clone()));
        refusal
    }

    /// Takes one decoded vote. `Ok` means: durable in the sink.
    pub async fn accept(&self, call: &Call, draft: Draft) -> Result<Receipt, Refusal> {
        let _permit = self.limits.admission.admit(1)?;
        self.accept_admitted(call, draft).await
    }

    /// Takes a batch: admitted as a whole or refused as a whole, judged vote by vote. One result per draft, in order.
    pub async fn accept_batch<E: Into<Refusal>>(
        &self,
        calls: Vec<Call>,
        drafts: Vec<Result<Draft, E>>,
    ) -> Result<Vec<Result<Receipt, Refusal>>, Refusal> {
        let permit = if drafts.len() > MAX_BATCH_VOTES {
            Err(Refusal::BatchTooLarge)
        } else {
            self.limits.admission.admit(drafts.len())
        };
        let _permit = match permit {
            Ok(permit) => permit,
            Err(refusal) => {
                let refused = Err(refusal.clone());
                for call in calls {
                    call.finish(&refused);
                }
                return Err(refusal);
            }
        };
        let votes = calls.into_iter().zip(drafts).map(|(call, draft)| async move {
            let result = match draft {
                Ok(draft) => self.accept_admitted(&call, draft).await,
                Err(malformed) => Err(malformed.into()),
            };
            call.finish(&result);
            result
        });
        Ok(join_all(votes).await)
    }

    /// Passes an event on that another process has accepted, under that one's route, id and time stamp.
    pub async fn forward(&self, call: &Call, event: VoteEvent) -> Result<Receipt, Refusal> {
        let _permit = self.limits.admission.admit(1)?;
        self.publish(call, event).await
    }

    /// What to answer when a call ran into its deadline: the reason behind it, where one is known.
    pub fn expired(&self) -> Refusal {
        match self.sink.available() {
            Ok(()) => Refusal::Deadline,
            Err(reason) => reason.into(),
        }
    }

    async fn accept_admitted(&self, call: &Call, draft: Draft) -> Result<Receipt, Refusal> {
        let Valid { vote, client_id } = call
            .stage(Stage::Validate, || draft.validate())
            .map_err(Refusal::Invalid)?;
        let event = VoteEvent {
            vote_id: client_id.unwrap_or_else(Uuid::now_v7),
            client_id: client_id.is_some(),
            vote,
            route: self.route,
            received_at_us: call.received_at_us(),
        };
        self.publish(call, event).await
    }

    async fn publish(&self, call: &Call, event: VoteEvent) -> Result<Receipt, Refusal> {
        // Known to be down: an answer now is worth more than one after the deadline.
        self.sink.available()?;
        let (vote_id, client_id, route) = (event.vote_id, event.client_id, event.route);
        let payload = call.stage(Stage::Encode, || event.encode());
        let record = EncodedVote {
            vote_id,
            client_id,
            payload,
            deadline: call.deadline(),
        };
        let started = Instant::now();
        let acknowledged = timeout_at(call.deadline().into(), self.sink.publish(record)).await;
        call.stage_since(Stage::Publish, started);
        let position: Position = match acknowledged {
            Ok(Ok(position)) => position,
            Ok(Err(SinkError::Deadline)) | Err(_) => return Err(self.expired()),
            Ok(Err(error)) => return Err(error.into()),
        };
        Ok(Receipt {
            vote_id,
            route,
            position,
        })
    }
}
