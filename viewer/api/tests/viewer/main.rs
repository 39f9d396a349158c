//! Tests of the real service with real MongoDB, Redis and Prometheus servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic, as tests do"
)]

mod auth;
mod client;
mod environment;
mod follow;
mod limits;
mod logs;
mod pages;
mod startup;
mod stores;
