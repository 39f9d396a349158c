//! Events, as the consumer and the forwarding call read them.

use fuzz::{Input, check};
use prost::Message;
use proto::votes::{Route, VoteEvent as Stored};
use vote::VoteEvent;

#[test]
fn event() {
    let stored = |name: &str, rank: &str, route: Route| Stored {
        name: name.to_owned(),
        album: "Alto al fuego".to_owned(),
        year: "1987".to_owned(),
        rank: rank.to_owned(),
        vote_id: "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f".to_owned(),
        route: route.into(),
        received_at_us: 1_764_000_000_000_000,
        id_from_client: route == Route::Grpc,
    };
    let examples = [
        stored("Alux Nahual", "9.5", Route::Rest),
        // What an earlier version accepted.
        stored(" e\u{301}\u{200b} ", " 09.50", Route::Grpc),
        stored("Bohemia", "10", Route::Bridge),
    ]
    .map(|event| event.encode_to_vec())
    .to_vec();
    check!(Input, |input: &Input| {
        match VoteEvent::decode(&input.bytes(&examples)) {
            Ok(event) => assert_eq!(VoteEvent::decode(&event.clone().encode()), Ok(event)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}
