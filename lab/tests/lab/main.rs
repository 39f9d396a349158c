//! Tests of the one-machine stack with real servers.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod ingress;
mod ownership;
mod recovery;
mod settings;
