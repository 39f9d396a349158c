//! Content types: the names of each encoding, and requests that name none or two.

use axum::http::StatusCode;
use prost::Message;
use proto::votes::{CastVotesResponse, Receipt};

use crate::api::{Api, BATCH, SINGLE, batches, json_vote, singles, vote};

#[tokio::test]
async fn response_to_protobuf_has_the_content_type_of_the_request() {
    let api = Api::new();
    let [_, (_, single)] = singles();
    let [.., (_, batch)] = batches(3);
    for (sent, answered) in [
        ("application/x-protobuf", "application/x-protobuf"),
        ("application/protobuf", "application/protobuf"),
        (
            "Application/Protobuf; proto=votes.v1.Vote",
            "application/protobuf",
        ),
        (
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf",
        ),
    ] {
        let response = api.post(SINGLE, &[("content-type", sent)], single.clone()).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{sent}");
        assert_eq!(response.header("content-type"), Some(answered));
        Receipt::decode(response.body.as_slice()).unwrap();

        let response = api.post(BATCH, &[("content-type", sent)], batch.clone()).await;
        assert_eq!(response.header("content-type"), Some(answered));
        let response = CastVotesResponse::decode(response.body.as_slice()).unwrap();
        assert_eq!(response.accepted, 3);
    }
}

#[tokio::test]
async fn json_lines_have_three_content_types() {
    let api = Api::new();
    let [_, (_, lines), _] = batches(3);
    for content_type in ["application/x-ndjson", "application/ndjson", "application/jsonl"] {
        let response = api
            .post(BATCH, &[("content-type", content_type)], lines.clone())
            .await;
        assert_eq!(response.accepted_votes(), 3);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let response = api
            .post(SINGLE, &[("content-type", content_type)], lines.clone())
            .await;
        response.detail(415);
    }
}

#[tokio::test]
async fn unsupported_type_is_answered_with_the_supported_ones() {
    let api = Api::new();
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "",
    ] {
        let headers = [("content-type", content_type)];
        let response = api.post(SINGLE, &headers, json_vote().to_string()).await;
        assert!(response.detail(415).contains("application/json"));
        assert_eq!(
            response.header("accept"),
            Some("application/json, application/x-protobuf")
        );
        assert_eq!(response.header("accept-encoding"), None);
        let response = api.post(BATCH, &headers, "[]").await;
        assert_eq!(
            response.header("accept"),
            Some("application/json, application/x-ndjson, application/x-protobuf")
        );
    }
}

#[tokio::test]
async fn two_content_types_are_refused() {
    let api = Api::new();
    let json = ("content-type", "application/json");
    for headers in [
        [json, ("content-type", "application/x-protobuf")].as_slice(),
        &[("content-type", "application/x-protobuf"), json],
        &[json, json],
        &[("content-type", "application/json, application/x-protobuf")],
    ] {
        for (path, body) in [(SINGLE, json_vote().to_string()), (BATCH, "[]".to_owned())] {
            let detail = api.post(path, headers, body).await.detail(400);
            assert!(detail.contains("more than one Content-Type"), "{detail}");
        }
    }
}

#[tokio::test]
async fn charset_other_than_utf8_is_refused() {
    let api = Api::new();
    for (charset, status) in [
        ("utf-8", 202),
        ("UTF8", 202),
        ("us-ascii", 202),
        ("utf-16", 415),
        ("latin1", 415),
    ] {
        let content_type = format!("application/json; charset={charset}");
        let headers = [("content-type", content_type.as_str())];
        let response = api.post(SINGLE, &headers, json_vote().to_string()).await;
        assert_eq!(response.status, status, "{charset}");
        if status == 415 {
            assert!(response.detail(415).contains("UTF-8"));
        }
    }
    // Protobuf has no charset.
    let headers = [("content-type", "application/x-protobuf; charset=binary")];
    api.post(SINGLE, &headers, vote().encode_to_vec())
        .await
        .assert_accepted();
}
