//! One list of valid and invalid votes, which every endpoint must treat alike.

mod case;
mod invalid;
mod malformed;
mod valid;

pub use case::{Case, Expected};

/// All cases: valid votes, votes that break a rule, and bodies that are not votes.
pub fn all() -> Vec<Case> {
    let mut cases = valid::valid();
    cases.extend(invalid::invalid());
    cases.extend(malformed::malformed());
    cases
}
