//! Bodies that are not the JSON or protobuf that their content type announces.

use crate::api::{Api, BATCH, SINGLE, batches, json_vote, singles};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];
const PROTOBUF: &[(&str, &str)] = &[("content-type", "application/x-protobuf")];

#[tokio::test]
async fn byte_order_mark_of_utf8_is_accepted() {
    let api = Api::new();
    let vote = json_vote();
    api.post(SINGLE, JSON, format!("\u{feff}{vote}"))
        .await
        .assert_accepted();
    let response = api.post(BATCH, JSON, format!("\u{feff}[{vote}]")).await;
    assert_eq!(response.accepted_votes(), 1);
    let response = api
        .post(BATCH, NDJSON, format!("\u{feff}{vote}\r\n{vote}\r\n"))
        .await;
    assert_eq!(response.accepted_votes(), 2);
}

#[tokio::test]
async fn body_in_another_format_is_named() {
    let api = Api::new();
    let utf16: Vec<u8> = format!("\u{feff}{}", json_vote())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let [_, (_, protobuf)] = singles();
    for (body, expected) in [
        (Vec::new(), "the body is empty"),
        (b" \r\n".to_vec(), "the body is empty"),
        (utf16.clone(), "UTF-16"),
        (b"name=Alux&year=1984".to_vec(), "form"),
        (b"<vote/>".to_vec(), "XML"),
        (protobuf, "application/x-protobuf"),
    ] {
        for path in [SINGLE, BATCH] {
            let detail = api.post(path, JSON, body.clone()).await.detail(400);
            assert!(detail.contains(expected), "{path}: {detail}");
        }
    }
    let detail = api.post(BATCH, NDJSON, utf16).await.detail(400);
    assert!(detail.contains("UTF-16"), "{detail}");
    for path in [SINGLE, BATCH] {
        let detail = api
            .post(path, PROTOBUF, json_vote().to_string())
            .await
            .detail(400);
        assert!(detail.contains("JSON text, not protobuf"), "{detail}");
    }
}

/// An empty protobuf message is valid and has only empty fields, in gRPC too. An empty file of JSON lines has no votes.
#[tokio::test]
async fn empty_body_is_valid_where_its_format_says_so() {
    let api = Api::new();
    let detail = api.post(SINGLE, PROTOBUF, "").await.detail(422);
    assert!(detail.contains("name is required"), "{detail}");
    assert_eq!(api.post(BATCH, PROTOBUF, "").await.status, 200);
    assert_eq!(api.post(BATCH, NDJSON, "").await.accepted_votes(), 0);
    assert_eq!(api.post(BATCH, JSON, "[]").await.accepted_votes(), 0);
}

#[tokio::test]
async fn votes_for_the_other_endpoint_are_named() {
    let api = Api::new();
    let [(_, array), (_, lines), _] = batches(2);
    let detail = api.post(SINGLE, JSON, array).await.detail(400);
    assert!(detail.contains("a vote is a JSON object"), "{detail}");
    let detail = api.post(SINGLE, JSON, lines.clone()).await.detail(400);
    assert!(detail.contains("text follows after the JSON value"), "{detail}");
    let detail = api.post(BATCH, JSON, lines).await.detail(400);
    assert!(detail.contains("application/x-ndjson"), "{detail}");
    let detail = api.post(BATCH, JSON, json_vote().to_string()).await.detail(400);
    assert!(detail.contains("a batch is a JSON array"), "{detail}");
}
