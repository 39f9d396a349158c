//! One fuzz target for each decoder of what others send. Each one checks a property of the result, not only that nothing
//! panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod authorization;
mod certificate;
mod event;
mod identities;
mod issuer;
mod json;
mod jwks;
mod protobuf;
mod votes;
