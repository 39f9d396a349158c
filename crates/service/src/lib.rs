//! What every dualpath process has around its work: options, logging, metrics, an admin port, a listener with limits,
//! and a drain on SIGTERM. Knows nothing about votes.

mod admin;
mod args;
mod boot;
mod checks;
mod effective_config;
mod environment;
pub mod listener;
pub mod metrics;
mod readiness;
mod redact;

pub use args::{CommonArgs, LogFormat};
pub use boot::{Identity, Process, run};
pub use effective_config::EffectiveConfig;
pub use readiness::{Check, Readiness};
pub use redact::redact;

/// One allocator for all binaries: on a path of small short-lived allocations it is a difference that must not be
/// one between the routes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator's name, for the effective configuration.
pub(crate) const ALLOCATOR_NAME: &str = "mimalloc";
