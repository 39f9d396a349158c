//! Tests of the analysis on random and synthetic data. They are one program, because each program is compiled and linked on
//! its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod coverage;
mod cpu_coverage;
mod random;
mod report;
mod synthetic_run;
