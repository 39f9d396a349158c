//! The domain: votes, their validation, and their events. No async, no I/O, no transport.
//!
//! Bytes become a [`Draft`] (decode), a draft becomes a [`Vote`] (validate), and a vote becomes a [`VoteEvent`]
//! (encode).

mod decimal;
mod draft;
mod event;
mod fields;
mod foreign_format;
mod invisible;
mod json;
mod malformed;
mod route;
mod text;

pub use draft::{Draft, Field, FieldError, ValidVote};
pub use event::{EventError, VoteEvent};
pub use fields::{Album, Name, Rank, Vote, Year};
pub use json::{drafts_from_json_array, drafts_from_ndjson};
pub use malformed::Malformed;
pub use route::Route;
