//! The fault suite: real processes and real servers, load on all three routes, and the books after every fault.
//!
//! A [`families::Fault`] is injected into a [`scene::Scene`] and healed again; [`probe`] says when every route is well,
//! [`books`] whether each acknowledged vote was counted once and logged once. [`suite`] runs faults in rounds. [`soak`]
//! and [`dedup_memory`] measure what goes wrong slowly.

pub mod books;
pub mod cli;
pub mod client;
pub mod dedup_memory;
pub mod document;
pub mod families;
pub mod ledger;
pub mod load;
pub mod probe;
pub mod report;
pub mod scene;
pub mod soak;
pub mod suite;
pub mod wait;
