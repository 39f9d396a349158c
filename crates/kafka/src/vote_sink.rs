//! The sink that a command line chooses, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use ingest::{NullSink, Position, Record, Sink, SinkError};

use crate::{KafkaArgs, KafkaError, KafkaSink, SinkKind};

/// Where a route's votes go.
pub enum VoteSink {
    /// Into the topic.
    Kafka(KafkaSink),
    /// Nowhere.
    Null(NullSink),
}

impl VoteSink {
    /// Opens what `args` choose. `deadline`, `report` and `fatal` are as in [`KafkaSink::new`].
    pub fn open(
        args: &KafkaArgs,
        deadline: Duration,
        report: impl Fn(Result<(), String>) + Send + 'static,
        fatal: impl FnOnce(String) + Send + 'static,
    ) -> Result<Arc<Self>, KafkaError> {
        let sink = match args.sink {
            SinkKind::Kafka => Self::Kafka(KafkaSink::new(
                &args.kafka_brokers,
                &args.topic,
                deadline,
                report,
                fatal,
            )?),
            SinkKind::Null => {
                report(Ok(()));
                Self::Null(NullSink::default())
            }
        };
        Ok(Arc::new(sink))
    }

    /// Waits until everything that was handed over is acknowledged or has failed, at most `timeout`: the end of a drain.
    pub async fn close(self: Arc<Self>, timeout: Duration) {
        let flush = move || match self.as_ref() {
            Self::Kafka(sink) => sink.flush(timeout).map_err(|error| error.to_string()),
            Self::Null(_) => Ok(()),
        };
        let flushed = tokio::task::spawn_blocking(flush).await;
        // Whoever waited for what is not flushed was refused: no acknowledged vote is in it.
        if let Err(error) = flushed.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(error, "votes without an answer are given up");
        }
    }
}

impl Sink for VoteSink {
    async fn publish(&self, record: Record) -> Result<Position, SinkError> {
        match self {
            Self::Kafka(sink) => sink.publish(record).await,
            Self::Null(sink) => sink.publish(record).await,
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        match self {
            Self::Kafka(sink) => sink.available(),
            Self::Null(sink) => sink.available(),
        }
    }
}
