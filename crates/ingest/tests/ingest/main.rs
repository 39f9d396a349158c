//! Tests of the use case over sinks that the tests control.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod failure_log;
mod traces;
mod use_case;
