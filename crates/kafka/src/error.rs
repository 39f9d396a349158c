//! Errors of this crate.

/// What Kafka or its client library said.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaError {
    /// The client library's own error.
    #[error("kafka: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// A topic that is not as it must be.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// The topic's name.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {0}")]
    Thread(&'static str),
    /// The consuming thread is gone.
    #[error("the consumer has left the group")]
    Ended,
}
