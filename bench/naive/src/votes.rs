//! The messages and the service of `votes.v1`, generated from proto/.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]

tonic::include_proto!("votes.v1");
