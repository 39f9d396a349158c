//! Clients that are silent, slow, half gone or that never read: each loses its place after its time, and the others are
//! served meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use bytes::Bytes;
use e2e::edge::{Edge, Kind};
use e2e::wire::{Method, PATIENCE, Wire, content_type, path, vote_body, wait_for};
use futures::{StreamExt, stream};
use proto::votes::vote_service_client::VoteServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::Channel;

/// Short times, so that the tests need not wait for long ones.
const IMPATIENT: [&str; 6] = [
    "--head-timeout-ms",
    "1000",
    "--deadline-ms",
    "1000",
    "--idle-timeout-ms",
    "1000",
];
const DRIP: Duration = Duration::from_millis(100);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame without settings, and the head of a HEADERS frame of 100 bytes that does not end its headers.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const UNENDED_HEADERS: [u8; 9] = [0, 0, 100, 1, 0, 0, 0, 0, 1];

async fn impatient(kind: Kind) -> Edge {
    Edge::start_without_kafka(kind, &IMPATIENT).await.unwrap()
}

async fn is_served(edge: &Edge) -> bool {
    let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
    wire.vote().await.unwrap().is_receipt()
}

/// Reads to the end of a connection; what came before the end.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A reset is an end like any other.
    let end = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(end.is_ok(), "the server keeps the connection");
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn what_never_becomes_a_request_is_closed() {
    for kind in Kind::EDGES {
        let edge = impatient(kind).await;
        let beginnings: [(&str, Vec<u8>); 5] = [
            ("silence", Vec::new()),
            ("half a preface", PREFACE[..9].to_vec()),
            ("half a head", b"POST /v1/votes HTTP/1.1\r\nhost: x\r\n".to_vec()),
            ("a preface alone", PREFACE.to_vec()),
            (
                "headers without end",
                [PREFACE, &SETTINGS, &UNENDED_HEADERS].concat(),
            ),
        ];
        let mut streams = Vec::new();
        for (name, bytes) in &beginnings {
            let mut stream = TcpStream::connect(edge.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            streams.push((*name, stream));
        }
        assert!(is_served(&edge).await, "{kind:?}");
        for (name, mut stream) in streams {
            let answer = read_to_end(&mut stream).await;
            assert!(!answer.contains("HTTP/1.1 2"), "{kind:?} {name}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_head_that_drips_is_closed() {
    for kind in Kind::EDGES {
        let edge = impatient(kind).await;
        for start in [
            b"POST / HTTP/1.1\r\nx: ".as_slice(),
            &[PREFACE, &SETTINGS, &UNENDED_HEADERS].concat(),
        ] {
            let (mut reader, mut writer) = TcpStream::connect(edge.address()).await.unwrap().into_split();
            writer.write_all(start).await.unwrap();
            let dripping = tokio::spawn(async move {
                while writer.write_all(&[0]).await.is_ok() {
                    tokio::time::sleep(DRIP).await;
                }
            });
            let mut answer = Vec::new();
            let end = timeout(PATIENCE, reader.read_to_end(&mut answer)).await;
            assert!(end.is_ok(), "{kind:?}: the server keeps the connection");
            assert!(is_served(&edge).await, "{kind:?}");
            dripping.abort();
        }
    }
}

#[tokio::test]
async fn a_body_that_drips_ends_with_the_deadline() {
    for kind in Kind::EDGES {
        let edge = impatient(kind).await;
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        for method in [Method::Single, Method::Batch] {
            let mut open = wire.begin(method).await.unwrap();
            // The head of a message of 200 bytes in gRPC, and no JSON that would be refused before its end.
            open.body
                .send_data(Bytes::from_static(&[0, 0, 0, 0, 200]), false)
                .unwrap();
            let drip = async {
                while open.body.send_data(Bytes::from_static(b" "), false).is_ok() {
                    tokio::time::sleep(DRIP).await;
                }
            };
            let answer = tokio::select! {
                answer = open.answer => answer.unwrap(),
                () = drip => panic!("{kind:?}: reset without an answer"),
                () = tokio::time::sleep(PATIENCE) => panic!("{kind:?}: no answer"),
            };
            if kind == Kind::Grpc {
                assert_eq!(answer.headers()["grpc-status"], "4");
            } else {
                assert_eq!(answer.status(), 408);
            }
        }
        assert_eq!(edge.outcomes("deadline").await.unwrap() as u64, 2, "{kind:?}");
        assert!(is_served(&edge).await, "{kind:?}");
    }
}

/// HTTP/1.1 keeps its own rules for what of a body is there.
#[tokio::test]
async fn a_body_that_drips_by_http1_ends_with_the_deadline() {
    let edge = impatient(Kind::Rest).await;
    let mut stream = TcpStream::connect(edge.address()).await.unwrap();
    stream
        .write_all(b"POST /v1/votes HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(DRIP).await;
        }
    });
    let mut answer = String::new();
    timeout(PATIENCE, reader.read_to_string(&mut answer))
        .await
        .unwrap()
        .ok();
    dripping.abort();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_connection_that_falls_silent_after_a_vote_is_closed() {
    for kind in Kind::EDGES {
        let edge = impatient(kind).await;
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        assert!(wire.vote().await.unwrap().is_receipt());
        wait_for(async || wire.is_closed().await).await;

        let mut stream = TcpStream::connect(edge.address()).await.unwrap();
        let body = vote_body(kind);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            path(kind, Method::Single),
            content_type(kind),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 20"), "{kind:?}: {answer}");
        assert!(is_served(&edge).await, "{kind:?}");
    }
}

#[tokio::test]
async fn answers_that_nobody_takes_cost_the_connection() {
    for kind in Kind::EDGES {
        let limits = ["--max-calls", "20", "--idle-timeout-ms", "4000"];
        let edge = Edge::start_without_kafka(kind, &limits).await.unwrap();
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(0);
        let mut taker_of_none = Wire::connect_with(kind, edge.address(), &settings).await.unwrap();
        let mut calls = Vec::new();
        for _ in 0..30 {
            let mut call = taker_of_none.begin(Method::Single).await.unwrap();
            call.body.send_data(vote_body(kind), true).unwrap();
            calls.push(call);
        }
        // All have come before another client asks: it might get one of the places, and give it back.
        wait_for(async || edge.outcomes("accepted").await.unwrap() as usize == 20).await;
        // They have taken all places that there are; then they lose them, without doing anything more.
        wait_for(async || !is_served(&edge).await).await;
        wait_for(async || is_served(&edge).await).await;
        wait_for(async || taker_of_none.is_closed().await).await;
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let edge = impatient(Kind::Rest).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(edge.address()).await.unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    // At some point the server takes no more, because its answers are not taken; then it closes, and writing fails.
    let given_up = timeout(PATIENCE, async {
        while stream.write_all(request).await.is_ok() {}
    });
    assert!(
        given_up.await.is_ok(),
        "the server keeps a client that never reads"
    );
    assert!(is_served(&edge).await);
}

#[tokio::test]
async fn a_stream_without_votes_ends_with_a_clear_status() {
    let edge = impatient(Kind::Grpc).await;
    let channel = Channel::from_shared(format!("http://{}", edge.address())).unwrap();
    let mut client = VoteServiceClient::new(channel.connect().await.unwrap());
    let mut answers = client.stream_votes(stream::pending()).await.unwrap().into_inner();
    let end = timeout(PATIENCE, answers.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(end.code(), Code::DeadlineExceeded);
    assert!(end.message().contains("idle"), "{end}");
}

#[tokio::test]
async fn a_client_that_leaves_within_its_request_is_counted_as_cancelled() {
    for kind in Kind::EDGES {
        let edge = Edge::start_without_kafka(kind, &[]).await.unwrap();
        let mut expected = 0;
        for method in [Method::Single, Method::Batch] {
            // HTTP/2: the stream is reset, or the whole connection goes.
            let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
            for _ in 0..10 {
                let mut open = wire.begin(method).await.unwrap();
                open.body.send_data(vote_body(kind).slice(..20), false).unwrap();
                wait_for(async || edge.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0).await;
                open.body.send_reset(h2::Reason::CANCEL);
                expected += 1;
                wait_for(async || edge.outcomes("cancelled").await.unwrap() as usize == expected).await;
            }
            // HTTP/1.1: it closes before the end that it announced.
            let mut stream = TcpStream::connect(edge.address()).await.unwrap();
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: 100\r\n\r\n",
                path(kind, method),
                content_type(kind)
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vote_body(kind).slice(..20)).await.unwrap();
            wait_for(async || edge.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0).await;
            drop(stream);
            expected += 1;
            wait_for(async || edge.outcomes("cancelled").await.unwrap() as usize == expected).await;
        }
        assert_eq!(edge.outcomes("invalid").await.unwrap() as u64, 0, "{kind:?}");
    }
}
