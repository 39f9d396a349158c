//! The one-machine stack: fetches, starts, watches and stops real servers; the demo and its report.
//!
//! [`stack::Stack`] is what the commands use. Tests want `ephemeral_stack::EphemeralStack`: real servers on free ports that are
//! gone when the test is.

pub mod cli;
pub mod demo;
pub mod endpoints;
pub mod fetch;
pub mod options;
pub mod ports;
pub mod process;
pub mod progress;
pub mod project;
pub mod reconcile;
pub mod servers;
pub mod signals;
pub mod stack;
pub mod state;
pub mod status;
pub mod taken;
