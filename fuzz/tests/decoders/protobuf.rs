//! Votes and batches in protobuf.

use fuzz::{Input, check};
use prost::Message;
use proto::votes::{CastVotesRequest, Vote};
use vote::Draft;

use crate::votes::{LIMIT, check_draft};

fn votes() -> [Vote; 3] {
    let vote = |name: &str, vote_id: &str| Vote {
        name: name.to_owned(),
        album: "Alto al fuego".to_owned(),
        year: "1987".to_owned(),
        rank: "9.5".to_owned(),
        vote_id: vote_id.to_owned(),
    };
    [
        vote("Alux Nahual", "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f"),
        vote("e\u{301}", ""),
        Vote::default(),
    ]
}

#[test]
fn vote() {
    let examples: Vec<_> = votes().iter().map(Message::encode_to_vec).collect();
    check!(Input, |input: &Input| {
        let bytes = input.bytes(&examples);
        match Draft::from_protobuf(&bytes) {
            Ok(draft) => {
                assert_eq!(draft, Draft::from(Vote::decode(&*bytes).unwrap()));
                check_draft(draft);
            }
            Err(malformed) => assert!(!malformed.to_string().is_empty()),
        }
    });
}

#[test]
fn batch() {
    let all = CastVotesRequest {
        votes: votes().to_vec(),
    }
    .encode_to_vec();
    // A field that is not known, and the end of a group without its start.
    let examples = vec![
        all.clone(),
        [&all, &b"\x12\x02ab"[..]].concat(),
        vec![0x0a, 0, 0x0c],
    ];
    check!(Input, |input: &Input| {
        let bytes = input.bytes(&examples);
        let drafts = Draft::batch_from_protobuf(&bytes, LIMIT);
        // The library decodes all or nothing. What it decodes is what this decoder must decode.
        if let Ok(request) = CastVotesRequest::decode(&*bytes) {
            let expected = request
                .votes
                .into_iter()
                .take(LIMIT + 1)
                .map(|vote| Ok(Draft::from(vote)));
            assert_eq!(drafts, Ok(expected.collect()));
        }
        if let Ok(drafts) = drafts {
            assert!(drafts.len() <= LIMIT + 1);
            drafts.into_iter().flatten().for_each(check_draft);
        }
    });
}

#[test]
fn batch_is_its_votes() {
    let examples: Vec<_> = votes().iter().map(Message::encode_to_vec).collect();
    check!([Input; 3], |inputs: &[Input; 3]| {
        let mut batch = Vec::new();
        let each = inputs.each_ref().map(|input| {
            let vote = input.bytes(&examples);
            prost::encoding::bytes::encode(1, &vote, &mut batch);
            Draft::from_protobuf(&vote)
        });
        assert_eq!(Draft::batch_from_protobuf(&batch, LIMIT), Ok(each.to_vec()));
    });
}
