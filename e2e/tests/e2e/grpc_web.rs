//! Votes from web pages by gRPC-Web: the protocol as browsers speak it (HTTP/1.1, preflight requests, CORS headers), and
//! which pages may use it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::http2_client::{GRPC_PREFIX, Http2Client, Method, grpc_frame, vote_body};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use http::StatusCode;
use prost::Message;
use proto::votes::{CastVotesRequest, CastVotesResponse, Receipt, Vote, VoteResult};
use reqwest::{Client, RequestBuilder, Response};

const PAGE: &str = "https://votes.example";
const OTHER_PAGE: &str = "https://other.example";
const CAST_VOTE: &str = "/votes.v1.VoteService/CastVote";
const CAST_VOTES: &str = "/votes.v1.VoteService/CastVotes";
const STREAM_VOTES: &str = "/votes.v1.VoteService/StreamVotes";
const RETURN_INFO: &str = "/confproto.getInfo/returnInfo";
const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text";
/// Marks the frame of the trailers in a gRPC-Web body.
const TRAILERS: u8 = 0x80;

async fn start(options: &[&str]) -> ServiceProcess {
    ServiceProcess::start_without_kafka(ServiceKind::Grpc, options)
        .await
        .unwrap()
}

async fn start_for_pages() -> ServiceProcess {
    start(&["--cors-allow-origin", PAGE]).await
}

/// A request as a page sends it.
fn page_request(service: &ServiceProcess, path: &str, content_type: &str) -> RequestBuilder {
    Client::new()
        .post(format!("http://{}{path}", service.address()))
        .header("origin", PAGE)
        .header("content-type", content_type)
        .header("accept", content_type)
        .header("x-grpc-web", "1")
}

/// The messages of a gRPC-Web response, and the gRPC status code.
async fn read(response: Response) -> (Vec<Vec<u8>>, String) {
    let headers = response.headers().clone();
    let is_text = headers["content-type"].to_str().unwrap().contains("-text");
    let body = response.bytes().await.unwrap();
    let mut rest = if is_text {
        decode_chunks(&body)
    } else {
        body.to_vec()
    };
    let (mut messages, mut trailers) = (Vec::new(), HashMap::new());
    while !rest.is_empty() {
        let flag = rest[0];
        let length = u32::from_be_bytes(rest[1..GRPC_PREFIX].try_into().unwrap()) as usize;
        let message = rest[GRPC_PREFIX..GRPC_PREFIX + length].to_vec();
        rest.drain(..GRPC_PREFIX + length);
        if flag == TRAILERS {
            let text = String::from_utf8(message).unwrap();
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            trailers.extend(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
        } else {
            messages.push(message);
        }
    }
    // A response without a message has its status in the headers.
    let in_headers = headers
        .get("grpc-status")
        .map(|value| value.to_str().unwrap().to_owned());
    let code = in_headers.or_else(|| trailers.remove("grpc-status"));
    (messages, code.unwrap())
}

/// Decodes base64 in which every frame may have its own padding.
fn decode_chunks(text: &[u8]) -> Vec<u8> {
    let quads = text.chunks(4).map(|quad| STANDARD.decode(quad).unwrap());
    quads.flatten().collect()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn page_casts_votes_in_binary_and_in_text() {
    let service = start_for_pages().await;
    let vote = vote_body(ServiceKind::Grpc);
    for content_type in [
        BINARY,
        "application/grpc-web",
        TEXT,
        "application/grpc-web-text+proto",
    ] {
        let body = if content_type.contains("-text") {
            STANDARD.encode(&vote).into_bytes()
        } else {
            vote.to_vec()
        };
        for path in [CAST_VOTE, RETURN_INFO] {
            let request = page_request(&service, path, content_type).body(body.clone());
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{content_type}");
            assert_eq!(
                header(&response, "access-control-allow-origin"),
                PAGE,
                "{content_type}"
            );
            assert_eq!(header(&response, "x-ingest-route"), "grpc", "{content_type}");
            let (messages, code) = read(response).await;
            assert_eq!((messages.len(), code.as_str()), (1, "0"), "{content_type}");
            if path == CAST_VOTE {
                assert_eq!(Receipt::decode(&messages[0][..]).unwrap().route, "grpc");
            }
        }
    }
    assert_eq!(service.count_by_outcome("accepted").await.unwrap() as u64, 8);
}

#[tokio::test]
async fn page_casts_a_batch_and_reads_the_results_of_a_stream() {
    let service = start_for_pages().await;
    let frame = vote_body(ServiceKind::Grpc);
    let votes = vec![Vote::decode(&frame[GRPC_PREFIX..]).unwrap(); 3];
    let batch = grpc_frame(&CastVotesRequest { votes }.encode_to_vec());
    let request = page_request(&service, CAST_VOTES, BINARY).body(batch);
    let (messages, code) = read(request.send().await.unwrap()).await;
    assert_eq!(code, "0");
    assert_eq!(CastVotesResponse::decode(&messages[0][..]).unwrap().accepted, 3);

    for content_type in [BINARY, TEXT] {
        let body = if content_type == TEXT {
            STANDARD.encode(frame.repeat(5)).into_bytes()
        } else {
            frame.repeat(5)
        };
        let request = page_request(&service, STREAM_VOTES, content_type).body(body);
        let (messages, code) = read(request.send().await.unwrap()).await;
        assert_eq!((messages.len(), code.as_str()), (5, "0"), "{content_type}");
        assert!(VoteResult::decode(&messages[4][..]).unwrap().result.is_some());
    }
}

#[tokio::test]
async fn page_can_read_why_its_vote_was_rejected_and_where_the_time_went() {
    let service = start_for_pages().await;
    let invalid = grpc_frame(&[]);
    let request = page_request(&service, CAST_VOTE, BINARY)
        .header("x-dualpath-timing", "1")
        .body(invalid);
    let response = request.send().await.unwrap();
    let exposed = header(&response, "access-control-expose-headers").to_owned();
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "server-timing",
        "x-ingest-route",
    ] {
        assert!(
            !header(&response, name).is_empty(),
            "{name}: {:?}",
            response.headers()
        );
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    assert_eq!(header(&response, "access-control-allow-origin"), PAGE);
    assert_eq!(header(&response, "grpc-status"), "3");
    assert_eq!(read(response).await.1, "3");

    for (path, code) in [("/votes.v1.VoteService/Unknown", "12"), ("/unknown", "12")] {
        let request = page_request(&service, path, BINARY).body(vote_body(ServiceKind::Grpc));
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "access-control-allow-origin"), PAGE);
        assert_eq!(read(response).await.1, code, "{path}");
    }
}

#[tokio::test]
async fn broken_base64_is_invalid_and_a_disconnection_is_cancelled() {
    let service = start_for_pages().await;
    let vote = STANDARD.encode(vote_body(ServiceKind::Grpc));
    for body in ["!!!!", &vote[..vote.len() - 1], &vote[..8], ""] {
        let request = page_request(&service, CAST_VOTE, TEXT).body(body.to_owned());
        assert_eq!(read(request.send().await.unwrap()).await.1, "3", "{body}");
    }
    assert_eq!(service.count_by_outcome("invalid").await.unwrap() as u64, 4);

    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address())
        .await
        .unwrap();
    let mut call = client
        .start_call_with(Method::Single, &[("content-type", TEXT)])
        .await
        .unwrap();
    call.body
        .send_data(vote.as_bytes()[..8].to_vec().into(), false)
        .unwrap();
    wait_until(async || service.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0).await;
    call.body.send_reset(h2::Reason::CANCEL);
    wait_until(async || service.count_by_outcome("cancelled").await.unwrap() as u64 == 1).await;
}

async fn preflight(service: &ServiceProcess, origin: &str, headers: &str) -> Response {
    Client::new()
        .request(
            http::Method::OPTIONS,
            format!("http://{}{CAST_VOTE}", service.address()),
        )
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn preflight_allows_the_listed_origins_and_what_clients_send() {
    let service = start(&[
        "--cors-allow-origin",
        "https://Votes.example:443,http://127.0.0.1:3000",
    ])
    .await;
    for origin in [PAGE, "http://127.0.0.1:3000"] {
        let response = preflight(
            &service,
            origin,
            "content-type,x-grpc-web,x-user-agent,grpc-timeout",
        )
        .await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ingest-route"), "grpc");
        assert_eq!(header(&response, "access-control-allow-origin"), origin);
        assert!(header(&response, "access-control-allow-methods").contains("POST"));
        let allowed = header(&response, "access-control-allow-headers");
        for name in ["content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"] {
            assert!(allowed.contains(name), "{allowed}");
        }
        assert!(header(&response, "vary").contains("origin"));
        assert!(!header(&response, "access-control-max-age").is_empty());
        assert_eq!(header(&response, "access-control-allow-credentials"), "");
    }
    for origin in [
        OTHER_PAGE,
        "http://votes.example",
        "https://votes.example:8443",
        "https://votes.example.evil.example",
        "null",
    ] {
        let response = preflight(&service, origin, "content-type").await;
        assert_eq!(header(&response, "access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn every_origin_is_allowed_only_explicitly() {
    let service = start(&["--cors-allow-origin", "*"]).await;
    let response = preflight(&service, OTHER_PAGE, "content-type").await;
    assert_eq!(header(&response, "access-control-allow-origin"), "*");

    let service = start(&[]).await;
    let response = preflight(&service, OTHER_PAGE, "content-type").await;
    assert_eq!(response.status(), 405);
    assert_eq!(header(&response, "access-control-allow-origin"), "");
    let request = page_request(&service, CAST_VOTE, BINARY).body(vote_body(ServiceKind::Grpc));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(header(&response, "grpc-message").contains("--cors-allow-origin"));
    assert_eq!(service.count_by_outcome("accepted").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn native_clients_are_served_beside_pages_and_overload_is_readable_by_pages() {
    let service = start(&[
        "--cors-allow-origin",
        PAGE,
        "--max-calls",
        "1",
        "--deadline-ms",
        "60000",
    ])
    .await;
    let mut client = Http2Client::connect(ServiceKind::Grpc, service.address())
        .await
        .unwrap();
    assert!(client.send_vote().await.unwrap().is_receipt());
    let _open_call = client.start_call(Method::Single).await.unwrap();
    wait_until(async || service.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0).await;
    let request = page_request(&service, CAST_VOTE, BINARY).body(vote_body(ServiceKind::Grpc));
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "access-control-allow-origin"), PAGE);
    assert_eq!(header(&response, "grpc-status"), "8");
}

#[tokio::test]
async fn value_that_is_not_an_origin_stops_the_start_with_a_reason() {
    let address = lab::ports::free_address().unwrap();
    let service = ServiceProcess::spawn(
        ServiceKind::Grpc,
        &["--cors-allow-origin", "https://votes.example/"],
        address,
    )
    .unwrap();
    wait_until(async || service.log().contains("write https://votes.example")).await;
}
