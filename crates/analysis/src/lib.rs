//! The analysis of a comparison. It takes the observations of a run and returns decisions and a report. It is pure: it
//! opens no file, uses no network and starts no server.

pub mod comparison;
pub mod decision_rule;
pub mod decisions;
pub mod effects;
pub mod fairness;
pub mod knee;
pub mod margin;
pub mod measure;
pub mod no_verdict;
pub mod observations;
pub mod report;
pub mod stats;
pub mod summary;
pub mod winner_changes;
