//! The layout of the log in MongoDB: one document for each vote, in a collection that is clustered by a key with the time of
//! reception and the vote's id. Newest first is the reverse order of the keys, so it needs no second index. docs/adr/0029
//! gives the reasons.
//!
//! To add a column to the log, add a field to [`VoteDocument`].

mod collection;
mod document;
mod insert;
mod invalid_document;
mod log_key;
mod server;

pub use collection::{COLLECTION, DATABASE, Layout, LayoutError, create, ensure, layout};
pub use document::VoteDocument;
pub use insert::{inserts, inserts_into, run_insert};
pub use invalid_document::InvalidDocument;
pub use log_key::LogKey;
pub use server::{MongodbLoginArgs, validated_uri};
