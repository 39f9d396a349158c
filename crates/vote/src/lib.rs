//! The domain: what a vote is, when it is valid, and the event that it becomes. No async, no I/O, no transport.
//!
//! Bytes become a [`Draft`] (decode), a draft becomes a [`Vote`] (validate), a vote becomes an [`VoteEvent`] (encode).

mod draft;
mod event;
mod fields;
mod json;
mod route;

pub use draft::{Draft, Field, FieldError, Malformed, Valid};
pub use event::{EventError, VoteEvent};
pub use fields::{Album, Name, Rank, Vote, Year};
pub use json::{drafts_from_json_array, drafts_from_ndjson};
pub use route::Route;
