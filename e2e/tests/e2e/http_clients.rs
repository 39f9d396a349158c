//! Special HTTP clients of `rest` and `bridge`: `Expect: 100-continue`, decompression bombs, and browsers (CORS).

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use e2e::http2_client::vote_body;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::RESPONSE_TIMEOUT;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
/// No answer within this time means that the service waits for the body.
const QUIET: Duration = Duration::from_millis(300);

/// The two services with the HTTP API. The bridge needs its upstream.
struct Services {
    http: [ServiceProcess; 2],
    _upstream: ServiceProcess,
}

async fn start(options: &[&str]) -> Services {
    let upstream = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let address = format!("http://{}", upstream.address());
    let bridge_options = [&["--upstream", &address], options].concat();
    Services {
        http: [
            ServiceProcess::start_without_kafka(ServiceKind::Rest, options)
                .await
                .unwrap(),
            ServiceProcess::start(ServiceKind::Bridge, &bridge_options)
                .await
                .unwrap(),
        ],
        _upstream: upstream,
    }
}

/// A connection that has sent a request head with `Expect: 100-continue`.
async fn ask(address: SocketAddr, request_line: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{request_line} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads until the text has a part, or the connection is closed.
async fn read_until(stream: &mut TcpStream, part: &str) -> String {
    let mut received = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&received).contains(part) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(length) => received.extend_from_slice(&buffer[..length]),
            }
        }
    };
    assert!(
        timeout(RESPONSE_TIMEOUT, read).await.is_ok(),
        "no {part:?} in time"
    );
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn request_rejected_by_its_head_gets_no_100_continue() {
    for service in &start(&[]).await.http {
        for (request_line, headers, status) in [
            ("POST /v1/votes", "content-length: 20000\r\n", 413),
            ("POST /v1/votes/", "content-length: 20000\r\n", 413),
            ("POST /insert", "content-length: 16385\r\n", 413),
            ("POST /v1/votes:batch", "content-length: 1048577\r\n", 413),
            (
                "POST /v1/votes",
                "content-length: 90\r\ncontent-type: text/plain\r\n",
                415,
            ),
            (
                "POST /v1/votes",
                "content-length: 90\r\ncontent-encoding: br\r\n",
                415,
            ),
            (
                "POST /v1/votes",
                "transfer-encoding: chunked\r\ncontent-type: a/b\r\n",
                415,
            ),
            (
                "POST /v1/votes:batch",
                "content-length: 90\r\ncontent-type: a/b\r\ncontent-type: a/b\r\n",
                400,
            ),
            ("POST /unknown", "content-length: 90\r\n", 404),
            ("PUT /v1/votes", "content-length: 90\r\n", 405),
            ("POST /openapi.json", "content-length: 90\r\n", 405),
        ] {
            let mut stream = ask(service.address(), request_line, headers).await;
            let response = read_until(&mut stream, "\"errors\":[]}").await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(
                response.starts_with(&expected),
                "{request_line} {headers}: {response}"
            );
        }
        assert_eq!(service.count_by_outcome("invalid").await.unwrap() as u64, 8);
    }
}

#[tokio::test]
async fn request_that_may_be_accepted_gets_100_continue() {
    for service in &start(&[]).await.http {
        let vote = vote_body(service.kind());
        let length = format!("content-length: {}\r\n", vote.len());
        let mut stream = ask(service.address(), "POST /v1/votes", &length).await;
        assert_eq!(read_until(&mut stream, "\r\n\r\n").await, CONTINUE);
        stream.write_all(&vote).await.unwrap();
        let response = read_until(&mut stream, "\"offset\":").await;
        assert!(response.starts_with("HTTP/1.1 202 "), "{response}");

        // The length of a chunked body is unknown: it is read up to the limit.
        let mut stream = ask(
            service.address(),
            "POST /v1/votes",
            "transfer-encoding: chunked\r\n",
        )
        .await;
        assert_eq!(read_until(&mut stream, "\r\n\r\n").await, CONTINUE);
        let body = format!("4e20\r\n{}\r\n0\r\n\r\n", "x".repeat(20_000));
        stream.write_all(body.as_bytes()).await.unwrap();
        let response = read_until(&mut stream, "\"errors\":[]}").await;
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    }
}

#[tokio::test]
async fn overloaded_service_sends_no_100_continue() {
    for service in &start(&["--max-calls", "1"]).await.http {
        let mut waiting = ask(service.address(), "POST /v1/votes", "content-length: 90\r\n").await;
        assert_eq!(read_until(&mut waiting, "\r\n\r\n").await, CONTINUE);
        let mut stream = ask(service.address(), "POST /v1/votes", "content-length: 90\r\n").await;
        let response = read_until(&mut stream, "\"errors\":[]}").await;
        assert!(response.starts_with("HTTP/1.1 429 "), "{response}");
        let mut byte = [0];
        assert!(
            timeout(QUIET, waiting.read(&mut byte)).await.is_err(),
            "the service must still wait for the first body"
        );
    }
}

/// A body of less than 1 MiB that decompresses to 100 MiB, a hundred times the limit of a batch. Buffered, the bodies of all
/// clients would take 6 GiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decompression_stops_at_the_limit() {
    const CLIENTS: usize = 64;
    const MAX_MEMORY_MIB: u64 = 200;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let spaces = vec![b' '; 1024 * 1024];
    for _ in 0..100 {
        encoder.write_all(&spaces).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1024 * 1024, "{}", bomb.len());
    let client = reqwest::Client::new();
    for service in &start(&[]).await.http {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let request = client
                .post(format!("http://{}/v1/votes:batch", service.address()))
                .header("content-encoding", "gzip")
                .body(bomb.clone());
            clients.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
        let statuses = clients.join_all().await;
        assert_eq!(statuses, [413; CLIENTS]);
        let peak = service.peak_memory().unwrap();
        println!("{:?}: {peak} MiB", service.kind());
        assert!(peak < MAX_MEMORY_MIB, "{:?}: {peak} MiB", service.kind());
    }
}

#[tokio::test]
async fn only_allowed_origins_get_the_cors_header() {
    const ALLOWED: &str = "https://votes.example";
    let client = reqwest::Client::new();
    let allowed_origin = async |service: &ServiceProcess, method: reqwest::Method, origin: &str| {
        let request = client
            .request(method, format!("http://{}/v1/votes", service.address()))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(vote_body(service.kind()));
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
        assert!(response.headers().contains_key("x-ingest-route"), "{response:?}");
        let allowed = response.headers().get("access-control-allow-origin");
        allowed.map(|value| value.to_str().unwrap().to_owned())
    };
    for service in &start(&["--cors-allow-origin", ALLOWED]).await.http {
        for method in [reqwest::Method::OPTIONS, reqwest::Method::POST] {
            let allowed = allowed_origin(service, method.clone(), ALLOWED).await;
            assert_eq!(allowed.as_deref(), Some(ALLOWED));
            assert_eq!(
                allowed_origin(service, method, "https://evil.example").await,
                None
            );
        }
    }
    for service in &start(&[]).await.http {
        for method in [reqwest::Method::OPTIONS, reqwest::Method::POST] {
            assert_eq!(allowed_origin(service, method, ALLOWED).await, None);
        }
    }
}
