//! What holds for each decoded vote.

use uuid::Uuid;
use vote::{Draft, Route, ValidVote, VoteEvent};

/// The limit of votes in a batch.
pub(crate) const LIMIT: usize = 5;

/// A valid vote becomes an event that decodes to the same vote, in JSON and in protobuf; an invalid one has reasons.
pub(crate) fn check_draft(draft: Draft) {
    let valid = match draft.validate() {
        Ok(valid) => valid,
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(["name", "album", "year", "rank", "vote_id"].contains(&error.field));
                assert!(!error.message.is_empty());
            }
            return;
        }
    };
    let ValidVote { vote, chosen_id } = valid.clone();
    let canonical = proto::votes::Vote {
        name: vote.name.as_str().to_owned(),
        album: vote.album.as_str().to_owned(),
        year: vote.year.to_string(),
        rank: vote.rank.to_string(),
        vote_id: chosen_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    let json = serde_json::json!({
        "name": canonical.name, "album": canonical.album, "year": canonical.year, "rank": canonical.rank,
        "vote_id": canonical.vote_id,
    });
    let json = Draft::from_json(json.to_string().as_bytes()).unwrap();
    for draft in [json, canonical.into()] {
        assert_eq!(draft.validate().as_ref(), Ok(&valid));
    }
    let event = VoteEvent {
        vote_id: chosen_id.unwrap_or(Uuid::nil()),
        id_from_client: chosen_id.is_some(),
        vote,
        route: Route::Rest,
        received_at_us: 1,
    };
    assert_eq!(VoteEvent::decode(&event.clone().encode()), Ok(event));
}
