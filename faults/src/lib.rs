//! The fault suite: faults in real services and servers under load on all three routes, with a reconciliation after each.
//!
//! A [`fault::Fault`] is injected into an [`environment::TestEnvironment`] and healed again. [`probe`] measures the time until
//! every route works again, [`reconciliation`] checks that each acknowledged vote was counted once and logged once. [`suite`]
//! runs the faults of the [`catalog`] in rounds. [`soak`] and [`dedup_memory`] measure memory over time and over ids.

pub mod catalog;
pub mod cli;
pub mod client;
pub mod dedup_memory;
pub mod document;
pub mod environment;
pub mod fault;
pub mod ledger;
pub mod load;
pub mod probe;
pub mod reconciliation;
pub mod report;
pub mod soak;
pub mod suite;
pub mod transport;
pub mod wait;
