//! The only crate that uses Kafka's client library: the sink that the routes publish to, the source that the consumer
//! reads from, and every setting with its reason.

pub mod acl;
pub mod admin;
mod args;
mod broker_order;
mod brokers;
mod connection_log;
mod context;
pub mod dead_letter;
mod error;
mod health;
mod linger;
mod reader;
mod record;
mod scan;
mod security;
mod settings;
mod sink;
pub mod source;
mod token_file;
mod topic_id;
mod writer;

pub use args::{Acks, KafkaArgs, ProducerArgs, SinkKind};
pub use brokers::{BrokerArgs, Brokers};
pub use error::KafkaError;
pub use record::Record;
pub use scan::{Extent, extents, scan, scan_until};
pub use security::{SaslMechanism, Security, SecurityArgs, SecurityProtocol};
pub use settings::producer as producer_settings;
pub use sink::{KafkaSink, VoteProducer};
pub use topic_id::TopicIds;
pub use writer::RecordWriter;
