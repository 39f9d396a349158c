//! Votes and batches in JSON.

use fuzz::{Input, check};
use serde::de::IgnoredAny;
use vote::{Draft, drafts_from_json_array, drafts_from_ndjson};

use crate::votes::{LIMIT, check_draft};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn votes() -> Vec<Vec<u8>> {
    [
        r#"{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.50"}"#,
        r#"{"rank":9.5,"year":1984,"album":" Alto al\tfuego ","name":"Bohemia \ud83c\udfb8","vote_id":"0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f"}"#,
        "\u{feff}{\"name\":\"e\u{301}\",\"album\":\"👩‍🚀\",\"year\":1.997e3,\"rank\":1e1,\"other\":[{\"name\":null},-0.0,true]}",
        r#"{"name":5,"album":null,"year":true,"rank":[1],"vote_id":{}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The votes as a batch; `separator` follows each of them but the last.
fn joined(votes: &[Vec<u8>], open: &[u8], separator: u8, close: &[u8]) -> Vec<u8> {
    [open, &votes.join(&separator), close].concat()
}

/// Without all of them: an edit can copy the mark.
fn without_byte_order_marks(mut vote: &[u8]) -> &[u8] {
    while let Some(rest) = vote.strip_prefix(BYTE_ORDER_MARK) {
        vote = rest;
    }
    vote
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(without_byte_order_marks(bytes)).is_ok()
}

#[test]
fn vote() {
    let examples = votes();
    check!(Input, |input: &Input| {
        let bytes = input.bytes(&examples);
        match Draft::from_json(&bytes) {
            Ok(draft) => {
                assert!(is_json(&bytes));
                check_draft(draft);
            }
            Err(malformed) => assert!(!malformed.to_string().is_empty()),
        }
    });
}

#[test]
fn array() {
    let votes: Vec<_> = votes()
        .iter()
        .map(|vote| without_byte_order_marks(vote).to_vec())
        .collect();
    let examples = vec![joined(&votes, b"[", b',', b"]"), b" [ 7 , {} , [[]] ]\n".to_vec()];
    check!(Input, |input: &Input| {
        let bytes = input.bytes(&examples);
        let Ok(drafts) = drafts_from_json_array(&bytes, LIMIT) else {
            return;
        };
        assert!(drafts.len() <= LIMIT + 1);
        // Of a longer array, the rest is not read.
        assert!(drafts.len() > LIMIT || is_json(&bytes));
        drafts.into_iter().flatten().for_each(check_draft);
    });
}

#[test]
fn array_is_its_votes() {
    let examples = votes();
    check!([Input; 3], |inputs: &[Input; 3]| {
        let votes = inputs.each_ref().map(|input| input.bytes(&examples));
        let votes: Vec<_> = votes
            .iter()
            .map(|vote| without_byte_order_marks(vote).to_vec())
            .collect();
        // A vote that is not JSON makes the array malformed, and so does one that holds a field twice.
        let each: Result<Vec<_>, _> = votes.iter().map(|vote| Draft::from_json(vote)).collect();
        if let Ok(each) = each {
            let array = drafts_from_json_array(&joined(&votes, b"[", b',', b"]"), LIMIT);
            assert_eq!(array, Ok(each.into_iter().map(Ok).collect()));
        }
    });
}

#[test]
fn ndjson() {
    let examples = vec![joined(&votes(), b"", b'\n', b"\n"), b"{}\r\n\r\n \n7\n".to_vec()];
    check!(Input, |input: &Input| {
        let Ok(drafts) = drafts_from_ndjson(&input.bytes(&examples), LIMIT) else {
            return;
        };
        assert!(drafts.len() <= LIMIT + 1);
        drafts.into_iter().flatten().for_each(check_draft);
    });
}

#[test]
fn ndjson_is_its_lines() {
    let examples = votes();
    check!([Input; 3], |inputs: &[Input; 3]| {
        let lines = inputs.each_ref().map(|input| {
            let mut line = input.bytes(&examples);
            line.retain(|byte| *byte != b'\n');
            line
        });
        let Ok(drafts) = drafts_from_ndjson(&joined(&lines, b"", b'\n', b""), LIMIT) else {
            return;
        };
        let each: Vec<_> = lines
            .iter()
            .map(|line| line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line))
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .map(Draft::from_json)
            .collect();
        assert_eq!(drafts, each);
    });
}
