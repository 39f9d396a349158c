//! What is no vote at all: malformed, of the wrong type, or too large.

use super::{Case, good, json_only, refusal, refused, with};

#[allow(clippy::too_many_lines, reason = "a list")]
pub(super) fn malformed() -> Vec<Case> {
    let huge = "x".repeat(17 * 1024);
    vec![
        json_only("empty body", Vec::new(), refusal(400, &[])),
        json_only("no JSON", b"name=Alux".to_vec(), refusal(400, &[])),
        json_only(
            "cut off",
            br#"{"name":"Alux Nahual","#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "two objects",
            br#"{"name":"a"}{"name":"b"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a field twice",
            br#"{"name":"a","name":"b"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only("an array", b"[]".to_vec(), refusal(400, &[])),
        json_only("a string", br#""Alux""#.to_vec(), refusal(400, &[])),
        json_only(
            "text that is no UTF-8",
            b"{\"name\":\"\xff\xfe\"}".to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a lone surrogate",
            br#"{"name":"\ud800"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a number beyond all bounds",
            br#"{"rank":1e999}"#.to_vec(),
            refusal(400, &[]),
        ),
        Case {
            content_type: "text/plain",
            ..json_only("text/plain", good().to_json(), refusal(415, &[]))
        },
        Case {
            content_type: "application/x-www-form-urlencoded",
            ..json_only("a form", b"name=Alux".to_vec(), refusal(415, &[]))
        },
        Case {
            content_type: "application/x-ndjson",
            ..json_only("lines for one vote", good().to_json(), refusal(415, &[]))
        },
        Case {
            protobuf: Some(vec![0xff; 40]),
            ..json_only("noise", vec![0xff; 40], refusal(400, &[]))
        },
        Case {
            protobuf: Some(b"\x0a\x05abc".to_vec()),
            ..json_only(
                "a length beyond the end",
                b"{\"name\":\"abc".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            protobuf: Some(vec![0x08, 0x01]),
            ..json_only(
                "a number where text belongs",
                b"{1:1}".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            protobuf: Some(b"\x0a\x02\xff\xfe".to_vec()),
            ..json_only(
                "invalid UTF-8 in both",
                b"{\"name\":\"\xff\"}".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            expected: refusal(413, &[]),
            ..refused("over 16 KiB", &with("name", huge), &[])
        },
    ]
}
