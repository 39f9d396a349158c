//! The sink that a command line chooses, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use ingest::{Confound, ConfoundArgs, Confounded, EncodedVote, NullSink, Position, Sink, SinkError};

use crate::producer_per_record::ProducerPerRecord;
use crate::{KafkaArgs, KafkaError, KafkaSink, SinkKind, settings};

/// Where a route's votes go.
pub struct VoteSink(Path);

/// With nothing on the way, or with the faults that were asked for.
enum Path {
    Plain(Destination),
    Confounded(Confounded<Destination>),
}

/// Where the way ends.
enum Destination {
    Kafka(KafkaSink),
    ProducerPerRecord(ProducerPerRecord),
    Null(NullSink),
}

impl VoteSink {
    /// Opens what `args` choose, with the faults that `confounds` name. `deadline`, `report` and `fatal` are as in
    /// [`KafkaSink::new`].
    pub fn open(
        args: &KafkaArgs,
        confounds: &ConfoundArgs,
        deadline: Duration,
        report: impl Fn(Result<(), String>) + Send + 'static,
        fatal: impl FnOnce(String) + Send + 'static,
    ) -> Result<Arc<Self>, KafkaError> {
        args.producer.check(confounds)?;
        if !confounds.confounds.is_empty() {
            tracing::warn!(%confounds, "FAULTS TO TEACH WITH ARE ON: what is measured here says nothing about the route");
        }
        let destination = match args.sink {
            SinkKind::Kafka => {
                let sink = KafkaSink::new(args, deadline, report, fatal)?;
                if confounds.has(Confound::ProducerPerRequest) {
                    let config = settings::ingest_client(args, deadline);
                    Destination::ProducerPerRecord(ProducerPerRecord::new(sink, config))
                } else {
                    Destination::Kafka(sink)
                }
            }
            SinkKind::Null => {
                report(Ok(()));
                Destination::Null(NullSink::default())
            }
        };
        let path = Confounded::new(destination, confounds).map_or_else(Path::Plain, Path::Confounded);
        Ok(Arc::new(Self(path)))
    }

    /// Waits until everything that was handed over is acknowledged or has failed, at most `timeout`: the end of a drain.
    pub async fn close(self: Arc<Self>, timeout: Duration) {
        let flush = move || match self.destination() {
            Destination::Kafka(sink) => sink.flush(timeout).map_err(|error| error.to_string()),
            Destination::ProducerPerRecord(_) | Destination::Null(_) => Ok(()),
        };
        let flushed = tokio::task::spawn_blocking(flush).await;
        // Whoever waited for what is not flushed was refused: no acknowledged vote is in it.
        if let Err(error) = flushed.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(error, "votes without an answer are given up");
        }
    }

    fn destination(&self) -> &Destination {
        match &self.0 {
            Path::Plain(destination) => destination,
            Path::Confounded(confounded) => confounded.sink(),
        }
    }
}

impl Sink for VoteSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        match &self.0 {
            Path::Plain(destination) => destination.publish(record).await,
            Path::Confounded(confounded) => confounded.publish(record).await,
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        match &self.0 {
            Path::Plain(destination) => destination.available(),
            Path::Confounded(confounded) => confounded.available(),
        }
    }
}

impl Sink for Destination {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        match self {
            Self::Kafka(sink) => sink.publish(record).await,
            Self::ProducerPerRecord(sink) => sink.publish(record).await,
            Self::Null(sink) => sink.publish(record).await,
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        match self {
            Self::Kafka(sink) => sink.available(),
            Self::ProducerPerRecord(sink) => sink.available(),
            Self::Null(sink) => sink.available(),
        }
    }
}
