//! The fault `producer-per-request`: every vote needs a new connection, the metadata and a new producer id.

use std::sync::Arc;
use std::time::Duration;

use ingest::{EncodedVote, Position, Sink, SinkError};
use kafka::{KafkaArgs, KafkaSink, VoteProducer};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Publishes each vote with a new producer.
pub(crate) struct ProducerPerRequestSink {
    /// Checks the health of the topic and selects the partition of each vote. It publishes nothing.
    sink: KafkaSink,
    args: Arc<KafkaArgs>,
    deadline: Duration,
}

impl ProducerPerRequestSink {
    /// Publishes to the topic of `sink` with producers that have the options `args` and `deadline`.
    pub(crate) fn new(sink: KafkaSink, args: KafkaArgs, deadline: Duration) -> Self {
        Self {
            sink,
            args: Arc::new(args),
            deadline,
        }
    }
}

impl Sink for ProducerPerRequestSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        let (args, deadline) = (Arc::clone(&self.args), self.deadline);
        let partition = self.sink.partition(&record);
        let (sender, published) = oneshot::channel();
        let runtime = Handle::current();
        // Creating and closing a producer blocks.
        tokio::task::spawn_blocking(move || match VoteProducer::new(&args, deadline) {
            Ok(producer) => {
                // Send the result before the producer closes: closing takes 0.1 s with this client library and less
                // with others.
                let _ = sender.send(runtime.block_on(producer.send(partition, &record)));
            }
            Err(error) => {
                let _ = sender.send(Err(error.into()));
            }
        });
        published
            .await
            .unwrap_or_else(|_| Err(SinkError::Internal("the task of the producer failed".to_owned())))
    }

    fn available(&self) -> Result<(), SinkError> {
        self.sink.available()
    }
}
