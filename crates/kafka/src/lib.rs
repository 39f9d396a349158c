//! The only crate that speaks to Kafka: the sink that routes publish into, the source that the consumer reads from,
//! and every setting with its reason.

pub mod admin;
mod args;
pub mod dead_letter;
mod error;
mod health;
mod producer_per_record;
mod record;
mod scan;
mod settings;
mod sink;
pub mod source;
mod topic_id;
mod vote_sink;
mod writer;

pub use args::{Acks, KafkaArgs, ProducerArgs, SinkKind};
pub use error::KafkaError;
pub use record::Record;
pub use scan::{Extent, extents, scan, scan_until};
pub use sink::KafkaSink;
pub use topic_id::TopicIds;
pub use vote_sink::VoteSink;
pub use writer::RecordWriter;
