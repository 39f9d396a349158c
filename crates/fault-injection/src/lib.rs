//! Fault injection for teaching: mistakes of published comparisons. A comparison can show the effect of each on its
//! result. Every fault is off unless `--inject-fault` names it. The choice is made once at start, by
//! [`VoteSink::open`]: without a fault, votes do not pass through the code of any fault.
//!
//! To add a fault, add a variant to [`InjectedFault`] and implement it in [`FaultySink`] or in a new sink.

mod args;
mod cpu_time;
mod delay;
mod faulty_sink;
mod injected_fault;
mod producer_per_request;
mod vote_sink;

pub use args::FaultInjectionArgs;
pub use faulty_sink::FaultySink;
pub use injected_fault::InjectedFault;
pub use vote_sink::{OpenError, VoteSink};
