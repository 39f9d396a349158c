//! The wire contract as Rust types. The code under `generated` is generated from the `.proto` files of this crate.
//! `cargo test -p proto` fails if it is not current; `DUALPATH_BLESS=1 cargo test -p proto` regenerates it.

/// `votes.v1`: votes, receipts, errors and the Kafka event.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod votes {
    include!("generated/votes.v1.rs");
}

/// `confproto`: the service of the course.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod confproto {
    include!("generated/confproto.rs");
}

/// The compiled file descriptors of both packages, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");
