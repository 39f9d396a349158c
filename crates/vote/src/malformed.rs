//! The error for bytes that hold no vote.

/// Bytes that cannot be decoded into a vote: not JSON, not protobuf, or not an object. Holds the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);
