//! Tests of the program `compare`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod report;
mod run;
#[path = "../../../crates/analysis/tests/analysis/synthetic_run.rs"]
#[expect(dead_code, reason = "other tests use the sweep")]
mod synthetic_run;
