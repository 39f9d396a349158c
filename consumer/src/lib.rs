//! The consumer: counts votes from Kafka in Redis and logs them in MongoDB, each vote once.
//!
//! Records become batches ([`pipeline`], [`partition`], [`batch`]). A batch is applied to the stores in a fixed order
//! ([`apply`]): dead-letter topic, [`log_writer`], [`tally`]. The tally's script moves the partition's applied offset together
//! with the counts. The applied offset, not the committed offset, decides where reading resumes.
//!
//! Commands for operators: [`reconcile`] compares the stores (`reconciliation`), [`rebuild`] corrects the tallies,
//! [`migrate_log`] changes the layout of a log that an earlier version wrote, [`replay`] sends dead-letter records back to their topic, [`prepare`] creates the topics and the replica set.

pub mod apply;
pub mod args;
pub mod batch;
pub mod batch_trace;
mod bounded_label_counter;
mod cli;
mod conflicts;
pub mod dead_letter_limit;
mod fingerprint;
pub mod log_writer;
pub mod metrics;
pub mod migrate_log;
pub mod partition;
pub mod pipeline;
pub mod pipeline_end;
pub mod prepare;
mod progress;
pub mod rebuild;
pub mod reconcile;
mod reconciliation;
pub mod replay;
mod revocation;
mod run;
mod scripts;
pub mod store_args;
pub mod store_retry;
mod store_state;
pub mod tally;
pub mod top_sets;
pub mod vote_groups;

pub use cli::main;
