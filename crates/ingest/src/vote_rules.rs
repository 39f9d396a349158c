//! The rules for new votes. Every route applies them once, before the vote becomes an event.
//!
//! This is the place for a rule that applies only to new votes, such as a banned band: return a new [`IngestError`]
//! variant and give it a status in `error.rs`. The rules do not apply to stored events: `VoteEvent::decode` checks only
//! their shape, so a new rule cannot turn a stored vote into a dead-letter record.

use vote::{Draft, ValidVote};

use crate::IngestError;

/// Checks a decoded vote. Reports all invalid fields together.
pub(crate) fn check(draft: Draft) -> Result<ValidVote, IngestError> {
    draft.validate().map_err(IngestError::Invalid)
}
