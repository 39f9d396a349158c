//! The use case of every route: admit, validate, encode, publish, receipt. Each route decodes its requests and writes
//! its responses; all routes share the steps in between, and the table that maps an error to each protocol. This crate
//! imports no web framework and no Kafka client.

mod admission;
mod args;
mod availability;
mod body_buffer;
mod catalogue;
mod error;
mod failure_log;
mod ingest;
mod memory_budget;
mod metrics;
mod protobuf;
mod request_span;
mod request_timer;
mod server_limit;
mod sharded_histogram;
mod sink;
mod stage_timings;
mod trace_context;
mod vote_id;
mod vote_rules;

pub use admission::Admission;
pub use args::IngestArgs;
pub use availability::Availability;
pub use body_buffer::BodyBuffer;
pub use catalogue::Catalogue;
pub use error::{ErrorMapping, IngestError};
pub use ingest::{Ingest, Limits};
pub use memory_budget::{MemoryBudget, MemoryReservation};
pub use metrics::{Outcome, RequestMetrics, Stage, register_config_info};
pub use protobuf::{batch_response, vote_result};
pub use request_span::{RequestSpan, TraceParent, TracedCall};
pub use request_timer::RequestTimer;
pub use server_limit::ServerLimit;
pub use sink::{EncodedVote, NullSink, Position, Receipt, Sink, SinkError};
pub use trace_context::{TRACEPARENT, TRACESTATE, TraceContext, TraceHeaders};

/// Largest request that carries one vote, in bytes.
pub const MAX_VOTE_BYTES: usize = 16 * 1024;
/// Largest request that carries a batch of votes, in bytes.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Maximum number of votes in a batch.
pub const MAX_BATCH_VOTES: usize = 1_000;
