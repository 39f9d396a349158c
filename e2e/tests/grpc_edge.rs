//! What gRPC's specification asks of a server beyond its messages: content types, compression, messages cut short. And the
//! same of HTTP where it has the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use e2e::edge::{Edge, Kind};
use e2e::wire::{Method, Wire, vote_body};
use http::StatusCode;
use tonic::Code;

const METHODS: [Method; 3] = [Method::Single, Method::Batch, Method::Stream];

fn compressed(vote: &Bytes) -> Bytes {
    [&[1], &vote[1..]].concat().into()
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_in_http() {
    let edge = Edge::start_without_kafka(Kind::Grpc, &[]).await.unwrap();
    let mut wire = Wire::connect(Kind::Grpc, edge.address()).await.unwrap();
    for method in METHODS {
        for content_type in ["application/json", "application/grpc-web", "text/plain", ""] {
            let mut open = wire
                .begin_with(method, &[("content-type", content_type)])
                .await
                .unwrap();
            open.body.send_data(vote_body(Kind::Grpc), true).unwrap();
            let verdict = open.verdict().await.unwrap();
            assert_eq!(
                (verdict.status, verdict.grpc_code),
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
                "{method:?} {content_type}"
            );
        }
    }
    assert_eq!(edge.outcomes("invalid").await.unwrap() as u64, 12);
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc; charset=utf-8",
    ] {
        let mut open = wire
            .begin_with(Method::Single, &[("content-type", content_type)])
            .await
            .unwrap();
        open.body.send_data(vote_body(Kind::Grpc), true).unwrap();
        assert!(open.verdict().await.unwrap().is_receipt(), "{content_type}");
    }
}

#[tokio::test]
async fn compression_is_refused_with_the_encodings_that_are_read() {
    let edge = Edge::start_without_kafka(Kind::Grpc, &[]).await.unwrap();
    let mut wire = Wire::connect(Kind::Grpc, edge.address()).await.unwrap();
    let mut call = async |encoding: &[(&str, &str)], body: Bytes| {
        let mut open = wire.begin_with(Method::Single, encoding).await.unwrap();
        open.body.send_data(body, true).unwrap();
        open.answer.await.unwrap().headers().clone()
    };
    let vote = vote_body(Kind::Grpc);
    let gzip = [("grpc-encoding", "gzip")];

    let headers = call(&gzip, compressed(&vote)).await;
    let code = i32::from(Code::Unimplemented).to_string();
    assert_eq!(headers["grpc-status"], code.as_str());
    assert_eq!(headers["grpc-accept-encoding"], "identity");

    // The flag without an encoding breaks the protocol, and the specification has a code for that.
    for undeclared in [[].as_slice(), &[("grpc-encoding", "identity")]] {
        let code = i32::from(Code::Internal).to_string();
        assert_eq!(
            call(undeclared, compressed(&vote)).await["grpc-status"],
            code.as_str()
        );
    }
    // An encoding that a message makes no use of is none.
    assert!(!call(&gzip, vote.clone()).await.contains_key("grpc-status"));

    let code = i32::from(Code::InvalidArgument).to_string();
    for broken in [
        Bytes::new(),
        vote.slice(..3),
        vote.slice(..20),
        [&vote[..], &vote[..]].concat().into(),
    ] {
        assert_eq!(call(&[], broken).await["grpc-status"], code.as_str());
    }
    assert_eq!(edge.outcomes("invalid").await.unwrap() as u64, 7);
    assert_eq!(edge.outcomes("internal").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn a_message_in_the_smallest_parts_is_a_message() {
    let edge = Edge::start_without_kafka(Kind::Grpc, &[]).await.unwrap();
    let mut wire = Wire::connect(Kind::Grpc, edge.address()).await.unwrap();
    for method in METHODS {
        let mut open = wire.begin(method).await.unwrap();
        for byte in vote_body(Kind::Grpc) {
            open.body
                .send_data(Bytes::copy_from_slice(&[byte]), false)
                .unwrap();
        }
        open.body.send_data(Bytes::new(), true).unwrap();
        // Read as a batch, a vote has no votes in it that are valid; the call as such is fine.
        let verdict = open.verdict().await.unwrap();
        assert!(
            verdict.is_receipt() || method == Method::Batch,
            "{method:?}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn compressed_json_is_refused() {
    let edge = Edge::start_without_kafka(Kind::Rest, &[]).await.unwrap();
    let mut wire = Wire::connect(Kind::Rest, edge.address()).await.unwrap();
    for (encoding, status) in [("gzip", 415), ("br", 415), ("identity", 202)] {
        let mut open = wire
            .begin_with(Method::Single, &[("content-encoding", encoding)])
            .await
            .unwrap();
        open.body.send_data(vote_body(Kind::Rest), true).unwrap();
        assert_eq!(open.verdict().await.unwrap().status, status, "{encoding}");
    }
}
