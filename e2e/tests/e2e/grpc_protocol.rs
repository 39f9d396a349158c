//! The gRPC protocol below the messages: content types, methods, metadata, truncated and split messages. Also compression
//! over REST.

use bytes::Bytes;
use e2e::http2_client::{
    Http2Client, Method, WholeResponse, grpc_request, path, start_grpc_service, vote_body,
};
use e2e::service_process::{ServiceKind, ServiceProcess};
use http::StatusCode;
use tonic::Code;

const METHODS: [Method; 3] = [Method::Single, Method::Batch, Method::Stream];
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

async fn start(options: &[&str]) -> (ServiceProcess, Http2Client) {
    start_grpc_service(options).await.unwrap()
}

async fn count(service: &ServiceProcess, outcome: &str) -> u64 {
    service.count_by_outcome(outcome).await.unwrap() as u64
}

#[tokio::test]
async fn other_content_types_are_rejected_with_an_http_status() {
    let (service, mut client) = start(&[]).await;
    let content_types = [
        "application/json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc+json",
        "application/grpc+thrift",
        "application/grpcx",
        "text/plain",
        "",
    ];
    for method in METHODS {
        for content_type in content_types {
            let mut call = client
                .start_call_with(method, &[("content-type", content_type)])
                .await
                .unwrap();
            call.body.send_data(vote_body(ServiceKind::Grpc), true).unwrap();
            let outcome = call.outcome().await.unwrap();
            // The HTTP status is for clients that do not know gRPC.
            assert_eq!(
                (outcome.status, outcome.grpc_code, outcome.retry),
                (
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    Some(Code::InvalidArgument.into()),
                    false
                ),
                "{method:?} {content_type}"
            );
        }
    }
    let twice = [
        ("content-type", "application/grpc"),
        ("content-type", "application/grpc+json"),
    ];
    let mut call = client.start_call_with(Method::Single, &twice).await.unwrap();
    call.body.send_data(vote_body(ServiceKind::Grpc), true).unwrap();
    assert_eq!(call.outcome().await.unwrap().status, 415);
    assert_eq!(count(&service, "invalid").await, 25);
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc; charset=utf-8",
        "application/grpc+proto;charset=utf-8",
        "Application/gRPC",
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
async fn unknown_methods_are_unimplemented_also_while_the_server_is_overloaded() {
    let (_service, mut client) = start(&["--max-calls", "1", "--deadline-ms", "60000"]).await;
    let paths = [
        "/votes.v1.VoteService/Unknown",
        "/votes.v1.VoteService/castvote",
        "/votes.v1.VoteService/CastVote/",
        "/votes.v1.VoteService/",
        "/votes.v1.BridgeService/Unknown",
        "/votes.v2.VoteService/CastVote",
        "/confproto.getInfo/unknown",
        "/unknown",
        "/",
    ];
    let health_paths = [
        "/grpc.health.v1.Health/Unknown",
        "/grpc.reflection.v1.ServerReflection/Unknown",
    ];
    let assert_unimplemented = |response: &WholeResponse, path: &str| {
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.grpc_code(), Some(Code::Unimplemented), "{path}");
        assert_eq!(response.header("content-type"), "application/grpc", "{path}");
        assert_eq!(response.header("x-ingest-route"), "grpc", "{path}");
    };
    for path in paths.into_iter().chain(health_paths) {
        let request = grpc_request(path).body(()).unwrap();
        let response = client
            .send_request(request, vote_body(ServiceKind::Grpc))
            .await
            .unwrap();
        assert_unimplemented(&response, path);
    }
    // One open call uses up the limit.
    let _open_call = client.start_call(Method::Single).await.unwrap();
    for path in paths {
        let request = grpc_request(path).body(()).unwrap();
        let response = client
            .send_request(request, vote_body(ServiceKind::Grpc))
            .await
            .unwrap();
        assert_unimplemented(&response, path);
    }
    for path in [path(ServiceKind::Grpc, Method::Single), HEALTH_CHECK, REFLECTION] {
        let request = grpc_request(path).body(()).unwrap();
        let response = client.send_request(request, Bytes::new()).await.unwrap();
        assert_eq!(response.grpc_code(), Some(Code::ResourceExhausted), "{path}");
        assert_eq!(response.header("x-ingest-route"), "grpc", "{path}");
    }
}

#[tokio::test]
async fn other_http_methods_are_not_allowed() {
    let (service, mut client) = start(&[]).await;
    for method in ["GET", "PUT", "OPTIONS", "DELETE"] {
        for path in [path(ServiceKind::Grpc, Method::Single), HEALTH_CHECK, "/"] {
            let request = grpc_request(path).method(method).body(()).unwrap();
            let response = client
                .send_request(request, vote_body(ServiceKind::Grpc))
                .await
                .unwrap();
            assert_eq!(response.status, 405, "{method} {path}");
            assert_eq!(response.header("allow"), "POST", "{method} {path}");
            assert_eq!(response.header("x-ingest-route"), "grpc", "{method} {path}");
            assert!(!response.headers.contains_key("access-control-allow-origin"));
        }
    }
    assert_eq!(count(&service, "accepted").await, 0);
}

#[tokio::test]
async fn metadata_beyond_the_limit_is_rejected_with_resource_exhausted() {
    let (service, mut client) = start(&[]).await;
    let response_with = async |client: &mut Http2Client, path: &str, bytes: usize| {
        let request = grpc_request(path).header("x-large", "x".repeat(bytes));
        client
            .send_request(request.body(()).unwrap(), vote_body(ServiceKind::Grpc))
            .await
            .unwrap()
    };
    let vote_path = path(ServiceKind::Grpc, Method::Single);
    for bytes in [1_000, 15_000] {
        let response = response_with(&mut client, vote_path, bytes).await;
        assert_eq!(response.grpc_code(), Some(Code::Ok), "{bytes}");
    }
    for bytes in [16_384, 20_480, 70_000, 120_000] {
        for path in METHODS
            .map(|method| path(ServiceKind::Grpc, method))
            .into_iter()
            .chain([HEALTH_CHECK])
        {
            let response = response_with(&mut client, path, bytes).await;
            assert_eq!(response.status, 200, "{path} {bytes}");
            assert_eq!(
                response.grpc_code(),
                Some(Code::ResourceExhausted),
                "{path} {bytes}"
            );
            assert!(
                response.header("grpc-message").contains("16384"),
                "{path} {bytes}"
            );
            assert_eq!(response.header("x-ingest-route"), "grpc", "{path} {bytes}");
        }
    }
    // Many small fields are as large as one large field.
    let many = (0..400).fold(grpc_request(vote_path), |request, index| {
        request.header(format!("x-{index}"), "0123456789")
    });
    let response = client.send_request(many.body(()).unwrap(), vote_body(ServiceKind::Grpc));
    assert_eq!(response.await.unwrap().grpc_code(), Some(Code::ResourceExhausted));
    assert_eq!(count(&service, "invalid").await, 4 * 3 + 1);
    // The connection survives.
    assert!(client.send_vote().await.unwrap().is_receipt());
}

#[tokio::test]
async fn broken_messages_are_rejected_as_invalid() {
    let (service, mut client) = start(&[]).await;
    let vote = vote_body(ServiceKind::Grpc);
    let broken = [
        Bytes::new(),
        vote.slice(..3),
        vote.slice(..5),
        vote.slice(..20),
        [&vote[..], &vote[..]].concat().into(),
        [&vote[..], &vote[..3]].concat().into(),
        [&[2], &vote[1..]].concat().into(),
    ];
    let calls = broken.len() as u64;
    for body in broken {
        for method in [Method::Single, Method::Batch] {
            let request = grpc_request(path(ServiceKind::Grpc, method)).body(()).unwrap();
            let response = client.send_request(request, body.clone()).await.unwrap();
            assert_eq!(
                response.grpc_code(),
                Some(Code::InvalidArgument),
                "{method:?} {body:?}"
            );
            assert!(response.headers.contains_key("grpc-status-details-bin"));
        }
    }
    assert_eq!(count(&service, "invalid").await, 2 * calls);
    assert_eq!(count(&service, "internal").await, 0);
}

#[tokio::test]
async fn message_sent_byte_by_byte_is_accepted() {
    let (_service, mut client) = start(&[]).await;
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

/// tonic reads whole messages; the frames of HTTP/2 do not end where messages end.
#[tokio::test]
async fn votes_of_a_stream_may_share_and_span_frames() {
    const VOTES: usize = 20;
    let votes: Bytes = vote_body(ServiceKind::Grpc).repeat(VOTES).into();
    for frame in [7, 64, 1_000, votes.len()] {
        let (service, mut client) = start(&[]).await;
        let mut call = client.start_call(Method::Stream).await.unwrap();
        let mut rest = votes.clone();
        while !rest.is_empty() {
            let part = rest.split_to(frame.min(rest.len()));
            call.body.send_data(part, false).unwrap();
        }
        call.body.send_data(Bytes::new(), true).unwrap();
        assert!(call.outcome().await.unwrap().is_receipt(), "{frame}");
        assert_eq!(count(&service, "accepted").await, VOTES as u64, "{frame}");
    }
}

/// The health service has no part in the memory budget, so its requests must be small.
#[tokio::test]
async fn large_requests_of_the_health_service_are_rejected() {
    let (_service, mut client) = start(&[]).await;
    for (bytes, is_served) in [(100, true), (1_000_000, false)] {
        let request = tonic_health::pb::HealthCheckRequest {
            service: "x".repeat(bytes),
        };
        let body = e2e::http2_client::grpc_frame(&prost::Message::encode_to_vec(&request));
        let request = grpc_request(HEALTH_CHECK).body(()).unwrap();
        let response = client.send_request(request, body).await.unwrap();
        let expected = if is_served {
            Code::NotFound
        } else {
            Code::OutOfRange
        };
        assert_eq!(response.grpc_code(), Some(expected), "{bytes}");
    }
}
