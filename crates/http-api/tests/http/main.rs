//! What clients send at the edge, in the forms that occur: compressed bodies, several content types, other spellings of a
//! path, browsers. The sink acknowledges every vote.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

mod api;
mod bodies;
mod content_types;
mod cross_origin;
mod gzip;
mod idempotency_keys;
mod openapi;
mod paths;
mod traces;
