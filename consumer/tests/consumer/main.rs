//! Tests of the consumer binary against real Kafka, Redis and MongoDB servers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helper functions of a test may panic like the test"
)]

mod applied_offset;
mod backlog;
mod broken_keys;
mod commands;
mod conflicts;
mod dead_letters;
mod drain;
mod environment;
mod exactly_once;
mod faults;
mod migrate_log;
mod prepare;
mod rebuild;
mod reconciliation;
mod recreated_topic;
mod replay;
mod secrets;
mod top_sets;
mod votes;
