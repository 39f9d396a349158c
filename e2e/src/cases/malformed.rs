//! Bodies that are not a vote: malformed, of the wrong content type, or too large.

use super::case::{Case, json_only, rejected, rejection, valid_vote, vote_with};

#[allow(clippy::too_many_lines, reason = "the length comes from the number of cases")]
pub(super) fn malformed() -> Vec<Case> {
    let huge = "x".repeat(17 * 1024);
    vec![
        json_only("empty body", Vec::new(), rejection(400, &[])),
        json_only(
            "form text sent as JSON",
            b"name=Alux".to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "truncated JSON",
            br#"{"name":"Alux Nahual","#.to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "two objects",
            br#"{"name":"a"}{"name":"b"}"#.to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "duplicate field",
            br#"{"name":"a","name":"b"}"#.to_vec(),
            rejection(400, &[]),
        ),
        json_only("array instead of an object", b"[]".to_vec(), rejection(400, &[])),
        json_only(
            "string instead of an object",
            br#""Alux""#.to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "JSON text with invalid UTF-8",
            b"{\"name\":\"\xff\xfe\"}".to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "lone surrogate",
            br#"{"name":"\ud800"}"#.to_vec(),
            rejection(400, &[]),
        ),
        json_only(
            "number out of range",
            br#"{"rank":1e999}"#.to_vec(),
            rejection(400, &[]),
        ),
        Case {
            content_type: "text/plain",
            ..json_only(
                "content type text/plain",
                valid_vote().to_json(),
                rejection(415, &[]),
            )
        },
        Case {
            content_type: "application/x-www-form-urlencoded",
            ..json_only(
                "content type of a form",
                b"name=Alux".to_vec(),
                rejection(415, &[]),
            )
        },
        Case {
            content_type: "application/x-ndjson",
            ..json_only(
                "content type NDJSON for a single vote",
                valid_vote().to_json(),
                rejection(415, &[]),
            )
        },
        Case {
            protobuf: Some(vec![0xff; 40]),
            ..json_only(
                "bytes that are neither JSON nor protobuf",
                vec![0xff; 40],
                rejection(400, &[]),
            )
        },
        Case {
            protobuf: Some(b"\x0a\x05abc".to_vec()),
            ..json_only(
                "truncated string",
                b"{\"name\":\"abc".to_vec(),
                rejection(400, &[]),
            )
        },
        Case {
            protobuf: Some(vec![0x08, 0x01]),
            ..json_only("number in place of text", b"{1:1}".to_vec(), rejection(400, &[]))
        },
        Case {
            protobuf: Some(b"\x0a\x02\xff\xfe".to_vec()),
            ..json_only(
                "invalid UTF-8 in the name",
                b"{\"name\":\"\xff\"}".to_vec(),
                rejection(400, &[]),
            )
        },
        Case {
            expected: rejection(413, &[]),
            ..rejected("body over 16 KiB", &vote_with("name", huge), &[])
        },
    ]
}
