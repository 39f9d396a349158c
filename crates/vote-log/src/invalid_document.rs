//! Why a document cannot be read.

use mongodb::bson;

/// Why a document is not a vote.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDocument {
    /// A field is missing or has another type.
    #[error(transparent)]
    Field(#[from] bson::error::Error),
    /// The key has too few or too many bytes.
    #[error("the _id has not the length of a vote's key")]
    KeyLength,
}
