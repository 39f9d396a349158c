//! The one-machine stack: downloads, starts, monitors and stops real servers; runs the demo and writes its report.
//!
//! The commands use [`stack::Stack`]. Tests use `ephemeral_stack::EphemeralStack`, which starts real servers on free ports
//! and stops them at the end of the test.

pub mod access;
pub mod cli;
pub mod consumer_reconcile;
pub mod demo;
pub mod endpoints;
pub mod fetch;
pub mod http_get;
pub mod launch;
pub mod options;
mod ownership;
pub mod port_conflicts;
pub mod ports;
pub mod process;
pub mod progress;
pub mod project;
pub mod secrets;
pub mod servers;
pub mod signals;
pub mod stack;
pub mod state;
pub mod status;
