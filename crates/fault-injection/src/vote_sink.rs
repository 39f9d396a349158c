//! Opens and closes the sink that the command line selects.

use std::sync::Arc;
use std::time::Duration;

use ingest::{EncodedVote, NullSink, Position, Sink, SinkError};
use kafka::{Acks, KafkaArgs, KafkaError, KafkaSink, SinkKind};

use crate::producer_per_request::ProducerPerRequestSink;
use crate::{FaultInjectionArgs, FaultySink, InjectedFault};

/// The sink of an ingestion service.
pub struct VoteSink(Selected);

/// The target, with or without faults in front of it.
enum Selected {
    Plain(Target),
    Faulty(FaultySink<Target>),
}

/// The sink that receives the votes.
enum Target {
    Kafka(KafkaSink),
    ProducerPerRequest(ProducerPerRequestSink),
    Null(NullSink),
}

/// Why the sink cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options acknowledge votes that Kafka can lose.
    #[error(
        "--acks {0} acknowledges votes that Kafka can lose; use --acks all, or add --inject-fault acks to do it on purpose"
    )]
    WeakAcks(Acks),
    /// Kafka's client library rejects the options, or a thread cannot start.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl VoteSink {
    /// Opens the sink that `args` select, with the faults that `fault_injection` names. `deadline`, `report` and
    /// `fatal` are those of [`KafkaSink::new`].
    pub fn open(
        args: &KafkaArgs,
        fault_injection: &FaultInjectionArgs,
        deadline: Duration,
        report: impl Fn(Result<(), String>) + Send + 'static,
        fatal: impl FnOnce(String) + Send + 'static,
    ) -> Result<Arc<Self>, OpenError> {
        if !fault_injection.allows(&args.producer) {
            return Err(OpenError::WeakAcks(args.producer.acks));
        }
        if !fault_injection.faults.is_empty() {
            tracing::warn!(faults = %fault_injection, "FAULTS ARE INJECTED: measurements of this process do not describe the route");
        }
        let target = match args.sink {
            SinkKind::Kafka => {
                let sink = KafkaSink::new(args, deadline, report, fatal)?;
                if fault_injection.has(InjectedFault::ProducerPerRequest) {
                    Target::ProducerPerRequest(ProducerPerRequestSink::new(sink, args.clone(), deadline))
                } else {
                    Target::Kafka(sink)
                }
            }
            SinkKind::Null => {
                report(Ok(()));
                Target::Null(NullSink::default())
            }
        };
        let selected =
            FaultySink::new(target, fault_injection).map_or_else(Selected::Plain, Selected::Faulty);
        Ok(Arc::new(Self(selected)))
    }

    /// Waits at most `timeout` until every vote is acknowledged or has failed. Call it at the end of a drain.
    pub async fn close(self: Arc<Self>, timeout: Duration) {
        let flush = move || match self.target() {
            Target::Kafka(sink) => sink.flush(timeout).map_err(|error| error.to_string()),
            Target::ProducerPerRequest(_) | Target::Null(_) => Ok(()),
        };
        let flushed = tokio::task::spawn_blocking(flush).await;
        // No acknowledged vote is lost here: the clients of these votes received an error.
        if let Err(error) = flushed.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(
                error,
                timeout_s = timeout.as_secs_f64(),
                "shut down with votes that Kafka had not acknowledged"
            );
        }
    }

    fn target(&self) -> &Target {
        match &self.0 {
            Selected::Plain(target) => target,
            Selected::Faulty(faulty) => faulty.sink(),
        }
    }
}

impl Sink for VoteSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        match &self.0 {
            Selected::Plain(target) => target.publish(record).await,
            Selected::Faulty(faulty) => faulty.publish(record).await,
        }
    }

    async fn publish_all(&self, records: Vec<EncodedVote>) -> Vec<Result<Position, SinkError>> {
        match &self.0 {
            Selected::Plain(target) => target.publish_all(records).await,
            Selected::Faulty(faulty) => faulty.publish_all(records).await,
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        match &self.0 {
            Selected::Plain(target) => target.available(),
            Selected::Faulty(faulty) => faulty.available(),
        }
    }
}

impl Sink for Target {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        match self {
            Self::Kafka(sink) => sink.publish(record).await,
            Self::ProducerPerRequest(sink) => sink.publish(record).await,
            Self::Null(sink) => sink.publish(record).await,
        }
    }

    async fn publish_all(&self, records: Vec<EncodedVote>) -> Vec<Result<Position, SinkError>> {
        match self {
            Self::Kafka(sink) => sink.publish_all(records).await,
            Self::ProducerPerRequest(sink) => sink.publish_all(records).await,
            Self::Null(sink) => sink.publish_all(records).await,
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        match self {
            Self::Kafka(sink) => sink.available(),
            Self::ProducerPerRequest(sink) => sink.available(),
            Self::Null(sink) => sink.available(),
        }
    }
}
