//! The consumer: votes from Kafka into tallies in Redis and a log in MongoDB, each vote once.
//!
//! Records become batches ([`pipeline`], [`partition`], [`batch`]); a batch passes the stores ([`apply`]): dead letters,
//! then [`vote_log`], then [`tally`]. The tally's script moves the partition's fence with the counts: the fence, not the
//! committed offset, says where to go on.
//!
//! Beside that, commands for operators: [`reconcile`] compares the stores (`reconciliation`), [`rebuild`] corrects the tallies,
//! [`replay`] sends dead letters again, [`prepare`] makes the topics and the replica set.

pub mod apply;
pub mod args;
pub mod batch;
pub mod dead_letter_limit;
pub mod metrics;
mod named;
mod observe;
pub mod partition;
pub mod pipeline;
pub mod prepare;
mod progress;
pub mod rebuild;
pub mod reconcile;
mod reconciliation;
pub mod replay;
mod revocation;
mod run;
pub mod store;
pub mod store_args;
pub mod tally;
pub mod vote_log;

pub use run::run;
