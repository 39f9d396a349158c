//! The real service against real MongoDB, Redis and Prometheus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what helps a test may fail as a test does"
)]

mod auth;
mod bed;
mod client;
mod limits;
mod log;
mod pages;
mod start;
mod stores;
mod stream;
