//! Errors at the Ingress: each client gets an answer that it understands.

use e2e::service_process::{ServiceKind, ServiceProcess};
use ephemeral_stack::EphemeralStack;
use http::uri::PathAndQuery;
use proto::votes::{Receipt, Vote};
use serde_json::Value;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

const KIB: usize = 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_understands_the_errors_of_the_ingress() {
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &[])
        .await
        .unwrap();
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let rest_port = format!("rest={}", rest.address().port());
    let grpc_port = format!("grpc={}", grpc.address().port());
    let stack =
        EphemeralStack::start_with(&["--only", "ingress", "--port", &rest_port, "--port", &grpc_port])
            .unwrap();
    let ingress = stack.endpoints().ingress.clone();

    unknown_paths_are_problem_documents(&ingress).await;
    unknown_methods_are_unimplemented(&ingress).await;
    large_heads_are_rejected_with_431(&ingress).await;
    large_metadata_is_resource_exhausted(&ingress).await;
}

async fn unknown_paths_are_problem_documents(ingress: &str) {
    let client = reqwest::Client::new();
    for path in [
        "/",
        "/insert",
        "/v2/votes",
        "/openapi.json",
        "/restful",
        "/grpcurl",
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            let request = client.request(method.clone(), format!("{ingress}{path}"));
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 404, "{method} {path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(response.headers()["x-ingest-route"], "rest");
            let problem: Value = response.json().await.unwrap();
            assert_eq!(problem["status"], 404, "{problem}");
        }
    }
}

async fn unknown_methods_are_unimplemented(ingress: &str) {
    for path in [
        "/votes.v1.VoteService/Unknown",
        "/votes.v1.VoteServices/CastVote",
        "/unknown.Service/Call",
        "/grpc.health.v1.Health/Unknown",
        // The service has this method, but only the bridge may call it, and not by the Ingress.
        "/votes.v1.BridgeService/Forward",
    ] {
        let status = call(ingress, path, Request::new(Vote::default())).await;
        assert_eq!(status.code(), Code::Unimplemented, "{path}: {status:?}");
    }
}

/// Calls a method and returns the status of the failed call.
async fn call(ingress: &str, path: &'static str, request: Request<Vote>) -> Status {
    let channel = Channel::from_shared(ingress.to_owned())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<Vote, Receipt>::default();
    let called = client.unary(request, PathAndQuery::from_static(path), codec);
    called.await.unwrap_err()
}

/// A service that closes a connection before it has read the whole head must not cause a 502.
async fn large_heads_are_rejected_with_431(ingress: &str) {
    let http1 = reqwest::Client::new();
    let http2 = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    for (version, client) in [("HTTP/1.1", http1), ("HTTP/2", http2)] {
        for size in [40, 70, 500].map(|kib| kib * KIB) {
            // The answer would be lost in a race only, so one request is not enough.
            for _ in 0..10 {
                let request = client.post(format!("{ingress}/rest/v1/votes"));
                let response = (0..size / KIB)
                    .fold(request, |request, _| request.header("x-large", "x".repeat(KIB)))
                    .send()
                    .await;
                let response = response.unwrap_or_else(|error| panic!("{version}, {size} bytes: {error:?}"));
                assert_eq!(response.status().as_u16(), 431, "{version}, {size} bytes");
            }
        }
    }
}

async fn large_metadata_is_resource_exhausted(ingress: &str) {
    for size in [20, 40, 60].map(|kib| kib * KIB) {
        let mut request = Request::new(Vote::default());
        for _ in 0..size / KIB {
            let value = "x".repeat(KIB).parse().unwrap();
            request.metadata_mut().append("x-large", value);
        }
        let status = call(ingress, "/votes.v1.VoteService/CastVote", request).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{size} bytes: {status:?}");
    }
}
