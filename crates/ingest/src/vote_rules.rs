//! The rules for new votes. Every route applies them once, before the vote becomes an event.
//!
//! This is the place for a rule that applies only to new votes, such as a banned band: return a new [`IngestError`]
//! variant and give it a status in `error.rs`. The rules do not apply to stored events: `VoteEvent::decode` checks only
//! their shape, so a new rule cannot turn a stored vote into a dead-letter record.

use vote::{Draft, ValidVote};

use crate::{Catalogue, IngestError};

/// Checks a decoded vote. Reports all invalid fields together. Only a valid vote is looked up in the catalogue.
pub(crate) fn check(draft: Draft, catalogue: Option<&Catalogue>) -> Result<ValidVote, IngestError> {
    let valid = draft.validate().map_err(IngestError::Invalid)?;
    if let Some(catalogue) = catalogue {
        catalogue
            .check(&valid.vote)
            .map_err(|error| IngestError::NotInCatalogue(vec![error]))?;
    }
    Ok(valid)
}
