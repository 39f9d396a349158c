//! The wire contract as Rust types. Everything under `generated` comes from the `.proto` files beside this crate;
//! `cargo test -p proto` regenerates it and fails where the checked-in code is not current
//! (`DUALPATH_BLESS=1 cargo test -p proto` writes it anew).

/// `votes.v1`: votes, receipts, refusals and the Kafka event.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod votes {
    include!("generated/votes.v1.rs");
}

/// `confproto`: the course's own service.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod confproto {
    include!("generated/confproto.rs");
}

/// The compiled file descriptors of both packages, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");
