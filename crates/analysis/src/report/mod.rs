//! The report of a run: data for programs; a summary, a page and answers for people.

pub mod answers;
pub mod diff;
pub mod formatting;
pub mod headline;
pub mod html;
pub mod model;
pub mod plots;
pub mod progress;
pub mod questions;
pub mod samples_csv;
pub mod schema;
pub mod text;
