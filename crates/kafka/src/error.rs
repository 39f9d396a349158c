//! Errors of this crate.

/// An error of Kafka, of its client library, or of the options for them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaError {
    /// An error of the client library.
    #[error("kafka: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// A request failed.
    #[error("kafka: {0}")]
    Request(String),
    /// A topic is missing or is not as required.
    #[error("topic {topic}: {reason}")]
    Topic {
        /// The topic's name.
        topic: String,
        /// What is wrong with the topic.
        reason: String,
    },
    /// Options of encryption or login are missing or invalid.
    #[error("{0}")]
    Security(String),
    /// A thread could not be started.
    #[error("cannot start the thread {0}")]
    Thread(&'static str),
    /// The consuming thread has ended.
    #[error("the consuming thread has ended and left the consumer group")]
    Ended,
}
