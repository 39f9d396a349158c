//! Clients that send nothing, send slowly, disconnect or never read: the service closes each after its timeout and serves
//! other clients meanwhile.

use std::time::Duration;

use bytes::Bytes;
use e2e::http2_client::{Http2Client, Method, content_type, path, vote_body};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::{RESPONSE_TIMEOUT, wait_until};
use futures::{StreamExt, stream};
use proto::votes::vote_service_client::VoteServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::Channel;

/// Short timeouts, to keep the tests short.
const SHORT_TIMEOUTS: [&str; 6] = [
    "--head-timeout-ms",
    "1000",
    "--deadline-ms",
    "1000",
    "--idle-timeout-ms",
    "1000",
];
/// Time between two bytes of a slow client.
const BYTE_INTERVAL: Duration = Duration::from_millis(100);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame without settings.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The frame header of a HEADERS frame of 100 bytes, without the flag END_HEADERS.
const UNFINISHED_HEADERS: [u8; 9] = [0, 0, 100, 1, 0, 0, 0, 0, 1];

async fn start_with_short_timeouts(kind: ServiceKind) -> ServiceProcess {
    ServiceProcess::start_without_kafka(kind, &SHORT_TIMEOUTS)
        .await
        .unwrap()
}

async fn is_served(service: &ServiceProcess) -> bool {
    let mut client = Http2Client::connect(service.kind(), service.address())
        .await
        .unwrap();
    client.send_vote().await.unwrap().is_receipt()
}

/// Reads until the server closes the connection. Returns the received text.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A reset also counts as closed.
    let end = timeout(RESPONSE_TIMEOUT, stream.read_to_end(&mut received)).await;
    assert!(end.is_ok(), "the server keeps the connection open");
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn connection_without_a_complete_request_is_closed() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = start_with_short_timeouts(kind).await;
        let partial_requests: [(&str, Vec<u8>); 5] = [
            ("silence", Vec::new()),
            ("half an HTTP/2 preface", PREFACE[..9].to_vec()),
            (
                "half a request head",
                b"POST /v1/votes HTTP/1.1\r\nhost: x\r\n".to_vec(),
            ),
            ("only an HTTP/2 preface", PREFACE.to_vec()),
            (
                "unfinished headers",
                [PREFACE, &SETTINGS, &UNFINISHED_HEADERS].concat(),
            ),
        ];
        let mut streams = Vec::new();
        for (name, bytes) in &partial_requests {
            let mut stream = TcpStream::connect(service.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            streams.push((*name, stream));
        }
        assert!(is_served(&service).await, "{kind:?}");
        for (name, mut stream) in streams {
            let response = read_to_end(&mut stream).await;
            assert!(!response.contains("HTTP/1.1 2"), "{kind:?} {name}: {response}");
        }
    }
}

#[tokio::test]
async fn connection_with_a_head_sent_byte_by_byte_is_closed() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = start_with_short_timeouts(kind).await;
        for start in [
            b"POST / HTTP/1.1\r\nx: ".as_slice(),
            &[PREFACE, &SETTINGS, &UNFINISHED_HEADERS].concat(),
        ] {
            let (mut reader, mut writer) = TcpStream::connect(service.address()).await.unwrap().into_split();
            writer.write_all(start).await.unwrap();
            let slow_writer = tokio::spawn(async move {
                while writer.write_all(&[0]).await.is_ok() {
                    tokio::time::sleep(BYTE_INTERVAL).await;
                }
            });
            let mut response = Vec::new();
            let end = timeout(RESPONSE_TIMEOUT, reader.read_to_end(&mut response)).await;
            assert!(end.is_ok(), "{kind:?}: the server keeps the connection open");
            assert!(is_served(&service).await, "{kind:?}");
            slow_writer.abort();
        }
    }
}

#[tokio::test]
async fn call_with_a_body_sent_byte_by_byte_ends_at_the_deadline() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = start_with_short_timeouts(kind).await;
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        for method in [Method::Single, Method::Batch] {
            let mut call = client.start_call(method).await.unwrap();
            // The prefix of a gRPC message of 200 bytes. As JSON it is not rejected before its end.
            call.body
                .send_data(Bytes::from_static(&[0, 0, 0, 0, 200]), false)
                .unwrap();
            let send_slowly = async {
                while call.body.send_data(Bytes::from_static(b" "), false).is_ok() {
                    tokio::time::sleep(BYTE_INTERVAL).await;
                }
            };
            let response = tokio::select! {
                response = call.response => response.unwrap(),
                () = send_slowly => panic!("{kind:?}: the call was reset without a response"),
                () = tokio::time::sleep(RESPONSE_TIMEOUT) => panic!("{kind:?}: no response in time"),
            };
            if kind == ServiceKind::Grpc {
                assert_eq!(response.headers()["grpc-status"], "4");
            } else {
                assert_eq!(response.status(), 408);
            }
        }
        assert_eq!(
            service.count_by_outcome("deadline").await.unwrap() as u64,
            2,
            "{kind:?}"
        );
        assert!(is_served(&service).await, "{kind:?}");
    }
}

/// HTTP/1.1 frames a body differently from HTTP/2.
#[tokio::test]
async fn http1_request_with_a_body_sent_byte_by_byte_ends_at_the_deadline() {
    let service = start_with_short_timeouts(ServiceKind::Rest).await;
    let mut stream = TcpStream::connect(service.address()).await.unwrap();
    stream
        .write_all(b"POST /v1/votes HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let slow_writer = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(BYTE_INTERVAL).await;
        }
    });
    let mut response = String::new();
    timeout(RESPONSE_TIMEOUT, reader.read_to_string(&mut response))
        .await
        .unwrap()
        .ok();
    slow_writer.abort();
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}

#[tokio::test]
async fn idle_connection_after_a_vote_is_closed() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = start_with_short_timeouts(kind).await;
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        assert!(client.send_vote().await.unwrap().is_receipt());
        wait_until(async || client.is_closed().await).await;

        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        let body = vote_body(kind);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            path(kind, Method::Single),
            content_type(kind),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let response = read_to_end(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 20"), "{kind:?}: {response}");
        assert!(is_served(&service).await, "{kind:?}");
    }
}

#[tokio::test]
async fn connection_with_unread_responses_is_closed() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let limits = ["--max-calls", "20", "--idle-timeout-ms", "4000"];
        let service = ServiceProcess::start_without_kafka(kind, &limits).await.unwrap();
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(0);
        let mut blocked_client = Http2Client::connect_with(kind, service.address(), &settings)
            .await
            .unwrap();
        let mut calls = Vec::new();
        for _ in 0..30 {
            let mut call = blocked_client.start_call(Method::Single).await.unwrap();
            call.body.send_data(vote_body(kind), true).unwrap();
            calls.push(call);
        }
        // Waits until these calls hold every slot. Otherwise the other client could take one and free it again.
        wait_until(async || service.count_by_outcome("accepted").await.unwrap() as usize == 20).await;
        // The blocked client first holds every slot. After its timeout the service frees them.
        wait_until(async || !is_served(&service).await).await;
        wait_until(async || is_served(&service).await).await;
        wait_until(async || blocked_client.is_closed().await).await;
    }
}

#[tokio::test]
async fn connection_of_a_client_that_never_reads_is_closed() {
    let service = start_with_short_timeouts(ServiceKind::Rest).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(service.address()).await.unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    // The server stops reading when its responses stay unread; then it closes the connection, and the write fails.
    let closed = timeout(RESPONSE_TIMEOUT, async {
        while stream.write_all(request).await.is_ok() {}
    });
    assert!(
        closed.await.is_ok(),
        "the server keeps the connection of a client that never reads"
    );
    assert!(is_served(&service).await);
}

#[tokio::test]
async fn idle_stream_ends_with_deadline_exceeded() {
    let service = start_with_short_timeouts(ServiceKind::Grpc).await;
    let channel = Channel::from_shared(format!("http://{}", service.address())).unwrap();
    let mut client = VoteServiceClient::new(channel.connect().await.unwrap());
    let mut responses = client.stream_votes(stream::pending()).await.unwrap().into_inner();
    let end = timeout(RESPONSE_TIMEOUT, responses.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(end.code(), Code::DeadlineExceeded);
    assert!(end.message().contains("idle"), "{end}");
}

#[tokio::test]
async fn request_cut_off_by_its_client_is_counted_as_cancelled() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = ServiceProcess::start_without_kafka(kind, &[]).await.unwrap();
        let mut expected = 0;
        for method in [Method::Single, Method::Batch] {
            // HTTP/2: the client resets the stream.
            let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
            for _ in 0..10 {
                let mut call = client.start_call(method).await.unwrap();
                call.body.send_data(vote_body(kind).slice(..20), false).unwrap();
                wait_until(async || service.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0)
                    .await;
                call.body.send_reset(h2::Reason::CANCEL);
                expected += 1;
                wait_until(async || {
                    service.count_by_outcome("cancelled").await.unwrap() as usize == expected
                })
                .await;
            }
            // HTTP/1.1: the client closes the connection before the announced end.
            let mut stream = TcpStream::connect(service.address()).await.unwrap();
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: 100\r\n\r\n",
                path(kind, method),
                content_type(kind)
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vote_body(kind).slice(..20)).await.unwrap();
            wait_until(async || service.metric("ingest_inflight_requests", &[]).await.unwrap() >= 1.0).await;
            drop(stream);
            expected += 1;
            wait_until(async || service.count_by_outcome("cancelled").await.unwrap() as usize == expected)
                .await;
        }
        assert_eq!(
            service.count_by_outcome("invalid").await.unwrap() as u64,
            0,
            "{kind:?}"
        );
    }
}
