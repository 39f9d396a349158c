//! The real binary against real Kafka, Redis and MongoDB.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what helps a test may fail as a test does"
)]

mod bed;
mod dead_letters;
mod exact;
mod faults;
mod fence;
mod prepare;
mod rebuild;
mod reconciliation;
mod replay;
mod tools;
mod topic;
mod votes;
