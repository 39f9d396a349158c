//! Tests of whole processes.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod failure;
mod tls;
