//! What a run says: data for programs, sentences and a page for people.

pub mod model;
pub mod summary;
pub mod text;
