//! The gRPC protocol below the messages: content types, compression, truncated and split messages. Also compression over
//! REST.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic fails the test"
)]

use bytes::Bytes;
use e2e::http2_client::{Http2Client, Method, vote_body};
use e2e::service_process::{ServiceKind, ServiceProcess};
use http::StatusCode;
use tonic::Code;

const METHODS: [Method; 3] = [Method::Single, Method::Batch, Method::Stream];

fn compressed(vote: &Bytes) -> Bytes {
    [&[1], &vote[1..]].concat().into()
}

#[tokio::test]
async fn other_content_types_are_rejected_with_an_http_status() {
    let service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address())
        .await
        .unwrap();
    for method in METHODS {
        for content_type in ["application/json", "application/grpc-web", "text/plain", ""] {
            let mut call = client
                .start_call_with(method, &[("content-type", content_type)])
                .await
                .unwrap();
            call.body.send_data(vote_body(ServiceKind::Grpc), true).unwrap();
            let outcome = call.outcome().await.unwrap();
            assert_eq!(
                (outcome.status, outcome.grpc_code),
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
                "{method:?} {content_type}"
            );
        }
    }
    assert_eq!(service.count_by_outcome("invalid").await.unwrap() as u64, 12);
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc; charset=utf-8",
    ] {
        let mut call = client
            .start_call_with(Method::Single, &[("content-type", content_type)])
            .await
            .unwrap();
        call.body.send_data(vote_body(ServiceKind::Grpc), true).unwrap();
        assert!(call.outcome().await.unwrap().is_receipt(), "{content_type}");
    }
}

#[tokio::test]
async fn compression_is_rejected_with_the_supported_encodings() {
    let service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address())
        .await
        .unwrap();
    let mut call = async |encoding: &[(&str, &str)], body: Bytes| {
        let mut call = client.start_call_with(Method::Single, encoding).await.unwrap();
        call.body.send_data(body, true).unwrap();
        call.response.await.unwrap().headers().clone()
    };
    let vote = vote_body(ServiceKind::Grpc);
    let gzip = [("grpc-encoding", "gzip")];

    let headers = call(&gzip, compressed(&vote)).await;
    let code = i32::from(Code::Unimplemented).to_string();
    assert_eq!(headers["grpc-status"], code.as_str());
    assert_eq!(headers["grpc-accept-encoding"], "identity");

    // A compressed flag without an encoding violates the protocol; the specification demands INTERNAL.
    for undeclared in [[].as_slice(), &[("grpc-encoding", "identity")]] {
        let code = i32::from(Code::Internal).to_string();
        assert_eq!(
            call(undeclared, compressed(&vote)).await["grpc-status"],
            code.as_str()
        );
    }
    // An encoding in the header has no effect if the message is not compressed.
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
    assert_eq!(service.count_by_outcome("invalid").await.unwrap() as u64, 7);
    assert_eq!(service.count_by_outcome("internal").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn message_sent_byte_by_byte_is_accepted() {
    let service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address())
        .await
        .unwrap();
    for method in METHODS {
        let mut call = client.start_call(method).await.unwrap();
        for byte in vote_body(ServiceKind::Grpc) {
            call.body
                .send_data(Bytes::copy_from_slice(&[byte]), false)
                .unwrap();
        }
        call.body.send_data(Bytes::new(), true).unwrap();
        // Decoded as a batch, the bytes of a vote can hold no valid vote, but the call itself succeeds.
        let outcome = call.outcome().await.unwrap();
        assert!(
            outcome.is_receipt() || method == Method::Batch,
            "{method:?}: {outcome:?}"
        );
    }
}
