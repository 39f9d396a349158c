//! The rules for new votes. Every route applies them once, before the vote becomes an event.
//!
//! Add a rule that only new votes must pass here, such as a banned band: return an [`IngestError`] variant of its own
//! and give it a status in `error.rs`. Events that are already stored do not pass through here: `VoteEvent::decode`
//! only checks their shape, so a new rule cannot turn a stored vote into a dead-letter record.

use vote::{Draft, ValidVote};

use crate::IngestError;

/// Checks a decoded vote. Reports all invalid fields together.
pub(crate) fn check(draft: Draft) -> Result<ValidVote, IngestError> {
    draft.validate().map_err(IngestError::Invalid)
}
