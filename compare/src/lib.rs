//! The command of the controlled experiment. It sends the same votes over each route from one load generator, by default to
//! all variants at the same time, on an ephemeral stack of real servers, and reports a verdict with an interval.

mod cli;
pub mod confounders;
pub mod consumer_metrics;
pub mod diff;
pub mod experiment;
pub mod fairness_check;
pub mod idle_servers;
pub mod machine;
pub mod monitor;
pub mod output;
pub mod plans;
pub mod prove;
pub mod reconciliation;
pub mod report_files;
pub mod run;
pub mod saturation;
pub mod server_certificate;
pub mod show_report;
pub mod simultaneous;
pub mod single_load;
pub mod subject;
pub mod thresholds;
pub mod trial;
pub mod turns;
pub mod usage;

pub use cli::main;
