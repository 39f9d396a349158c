//! The consumer: votes from Kafka into tallies in Redis and a log in MongoDB, each vote once.
//!
//! Records become batches ([`pipeline`], [`partition`], [`batch`]); a batch passes the stores ([`apply`]): dead letters,
//! then [`vote_log`], then [`tally`]. The tally's script moves the partition's fence with the counts: the fence, not the
//! committed offset, says where to go on.

pub mod apply;
pub mod args;
pub mod batch;
pub mod dead_letter_limit;
pub mod keys;
pub mod metrics;
mod observe;
pub mod partition;
pub mod pipeline;
mod redact;
mod revocation;
mod run;
pub mod store;
pub mod tally;
pub mod vote_log;

pub use run::run;
