//! Common code of every dualpath binary: options, logging, metrics, an admin port, a listener with limits, and a
//! drain on SIGTERM. This crate has no dependency on votes.

mod admin;
mod admin_port;
mod allocator;
mod args;
mod authentication;
mod base_config;
mod boot;
mod checks;
mod command_line;
mod cors;
mod effective_config;
mod environment;
pub mod listener;
mod log_limit;
pub mod metrics;
mod process;
mod readiness;
mod traces;

pub use admin_port::AdminTlsArgs;
pub use allocator::{ROUTE_ALLOCATOR, RouteAllocator};
pub use args::{CommonArgs, LogFormat};
pub use authentication::AuthArgs;
pub use boot::{Identity, run};
pub use command_line::parse_command_line;
pub use cors::{AllowedOrigin, CorsArgs};
pub use effective_config::EffectiveConfig;
pub use log_limit::LogLimit;
pub use process::Process;
pub use readiness::{Check, Readiness};
pub use traces::Traces;
