//! Bodies that are not a vote: malformed, of the wrong content type, or too large.

use super::case::{Case, json_only, rejected, rejection, valid_vote, vote_with};

#[allow(clippy::too_many_lines, reason = "the length comes from the number of cases")]
pub(super) fn malformed() -> Vec<Case> {
    let huge = "x".repeat(17 * 1024);
    vec![
        json_only("empty body", Vec::new(), rejection(400, &[])),
        json_only("white space only", b" \r\n".to_vec(), rejection(400, &[])),
        json_only(
            "UTF-16 with a byte order mark",
            utf16("\u{feff}{}"),
            rejection(400, &[]),
        ),
        json_only(
            "UTF-16 without a mark",
            utf16("{\"name\":1}"),
            rejection(400, &[]),
        ),
        json_only("XML", b"<vote/>".to_vec(), rejection(400, &[])),
        json_only(
            "text after the vote",
            [valid_vote().to_json(), b" x".to_vec()].concat(),
            rejection(400, &[]),
        ),
        Case {
            protobuf: Some(valid_vote().to_json()),
            ..json_only(
                "an encoding other than that of the content type",
                b"\x0a\x04Alux".to_vec(),
                rejection(400, &[]),
            )
        },
        Case {
            protobuf: Some(b"\x1f\x8b\x08\x00".to_vec()),
            ..json_only(
                "gzip that is not declared",
                b"\x1f\x8b\x08\x00".to_vec(),
                rejection(400, &[]),
            )
        },
        Case {
            content_type: "application/json; charset=utf-16",
            ..json_only("charset UTF-16", valid_vote().to_json(), rejection(415, &[]))
        },
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

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
