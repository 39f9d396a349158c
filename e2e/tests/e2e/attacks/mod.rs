//! Denial-of-service attacks: the service rejects each with the right status, its memory stays below a bound, and a
//! well-behaved client gets its receipts meanwhile. Prints the result and the peak memory of each process.

mod announced_lengths;
mod compression;
mod harness;
mod unfinished_heads;

use std::time::Duration;

use bytes::Bytes;
use e2e::http2_client::{CallOutcome, Http2Client, Method, content_type, grpc_frame, path, vote_body};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::{RESPONSE_TIMEOUT, wait_until};
use futures::future::join_all;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::harness::{BackgroundClient, check_survives, count_outcomes, report};

/// A request body with these bytes: with the gRPC prefix for gRPC, unchanged for HTTP.
fn body(kind: ServiceKind, bytes: Vec<u8>) -> Bytes {
    if kind == ServiceKind::Grpc {
        grpc_frame(&bytes)
    } else {
        bytes.into()
    }
}

fn is_invalid(outcome: &CallOutcome, status: u16) -> bool {
    match outcome.grpc_code {
        Some(code) => code == i32::from(tonic::Code::InvalidArgument),
        None => outcome.status == status,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_bodies_are_rejected() {
    check_survives("16 requests of 64 MiB", async |service| {
        let giant = body(service.kind(), vec![b'['; 64 << 20]);
        let attacks = (0..16).map(async |_| {
            let mut client = Http2Client::connect(service.kind(), service.address()).await?;
            client.send_call(Method::Batch, giant.clone()).await
        });
        let outcomes = join_all(attacks).await;
        // A client that still sends after the rejection can get a reset before it reads the response.
        let answered: Vec<_> = outcomes.iter().flatten().collect();
        assert!(!answered.is_empty());
        assert!(
            answered.iter().all(|outcome| is_invalid(outcome, 413)),
            "{answered:?}"
        );
        count_outcomes(outcomes)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_nesting_is_rejected() {
    check_survives("16 Ki levels of nesting, 1,000 times", async |service| {
        // Arrays and objects in JSON; unterminated groups in protobuf.
        let shapes = if service.kind() == ServiceKind::Grpc {
            vec![vec![0x0b; 16_000], vec![0x3b; 16_000]]
        } else {
            vec![
                vec![b'['; 16_000],
                br#"{"a":"#.repeat(3_200),
                br#"{"name":["#.repeat(1_700),
            ]
        };
        let mut client = Http2Client::connect(service.kind(), service.address())
            .await
            .unwrap();
        let mut outcomes = Vec::new();
        for index in 0..1_000 {
            let shape = shapes[index % shapes.len()].clone();
            let outcome = client
                .send_call(Method::Single, body(service.kind(), shape))
                .await
                .unwrap();
            assert!(is_invalid(&outcome, 400), "{outcome:?}");
            outcomes.push(Ok(outcome));
        }
        count_outcomes(outcomes)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_request_heads_are_rejected() {
    check_survives("200 request heads of 1 MiB", async |service| {
        let value = "x".repeat(8 * 1024);
        let mut responses = Vec::new();
        for _ in 0..100 {
            let mut client = Http2Client::connect(service.kind(), service.address())
                .await
                .unwrap();
            let headers: Vec<_> = (0..128).map(|_| ("x-large", value.as_str())).collect();
            let response = match client.start_call_with(Method::Single, &headers).await {
                Ok(call) => call.outcome().await,
                Err(error) => Err(error),
            };
            assert!(!response.as_ref().is_ok_and(CallOutcome::is_receipt));
            responses.push(response);
        }
        for _ in 0..100 {
            responses.push(send_giant_head_by_http1(service, &value).await);
        }
        count_outcomes(responses)
    })
    .await;
}

async fn send_giant_head_by_http1(service: &ServiceProcess, value: &str) -> anyhow::Result<CallOutcome> {
    let mut stream = TcpStream::connect(service.address()).await?;
    let path = path(service.kind(), Method::Single);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{}",
        format!("x-large: {value}\r\n").repeat(128)
    );
    // The server can close the connection before the whole head is written.
    stream.write_all(head.as_bytes()).await.ok();
    let mut response = vec![0; 12];
    timeout(RESPONSE_TIMEOUT, stream.read_exact(&mut response)).await??;
    let status = std::str::from_utf8(&response[9..])?.parse()?;
    anyhow::ensure!(status == 431, "{status}");
    Ok(CallOutcome {
        status: http::StatusCode::from_u16(status)?,
        grpc_code: None,
        retry: false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_leave_other_clients_served() {
    const RESETS: usize = 10_000;
    check_survives("10,000 calls, each reset at once", async |service| {
        let (mut sent, mut connections) = (0, 0);
        while sent < RESETS {
            connections += 1;
            let mut client = Http2Client::connect(service.kind(), service.address())
                .await
                .unwrap();
            // The server closes a connection with too many resets; the attacker then reconnects.
            while sent < RESETS
                && let Ok(mut call) = client.start_call(Method::Single).await
            {
                call.body.send_reset(Reason::CANCEL);
                sent += 1;
            }
        }
        format!("over {connections} connections")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_left_open_are_rejected_beyond_the_limit() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        // The long deadline keeps the calls open for the whole test.
        let mut service = ServiceProcess::start_without_kafka(kind, &["--deadline-ms", "60000"])
            .await
            .unwrap();
        let background_client = BackgroundClient::start(&service).await;
        let mut open_calls = Vec::new();
        for connection in 0..6 {
            let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
            let method = if kind == ServiceKind::Grpc && connection == 0 {
                Method::Stream
            } else {
                Method::Single
            };
            for _ in 0..4_000 {
                open_calls.push(client.start_call(method).await.unwrap());
            }
        }
        let mut other_client = Http2Client::connect(kind, service.address()).await.unwrap();
        wait_until(async || other_client.clone().send_vote().await.unwrap().is_overloaded()).await;
        let outcomes = background_client.stop().await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.is_receipt() || outcome.is_overloaded())
        );
        for call in &mut open_calls {
            call.body.send_reset(Reason::CANCEL);
        }
        wait_until(async || other_client.clone().send_vote().await.unwrap().is_receipt()).await;
        assert!(other_client.send_vote().await.unwrap().is_receipt());
        let receipts = outcomes.iter().filter(|outcome| outcome.is_receipt()).count();
        let summary = format!(
            "rejected at once beyond 16,384 calls; accepted again after the attack; {} rejections for the background client",
            outcomes.len() - receipts
        );
        report("24,000 calls left open", &mut service, &summary, receipts).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_that_stop_get_no_receipt() {
    const BODIES: usize = 3_000;
    check_survives(
        "3,000 batches of 1 MiB that stop before the end",
        async |service| {
            let part = body(service.kind(), vec![b' '; 1_000_000]);
            let mut calls = Vec::new();
            for chunk in 0..3 {
                let mut client = Http2Client::connect(service.kind(), service.address())
                    .await
                    .unwrap();
                for _ in 0..BODIES / 3 {
                    let mut call = client.start_call(Method::Batch).await.unwrap();
                    call.body
                        .send_data(part.slice(..part.len() - 1 - chunk), false)
                        .unwrap();
                    calls.push(tokio::spawn(call.outcome()));
                }
            }
            let outcomes = join_all(calls).await.into_iter().map(Result::unwrap);
            let outcomes: Vec<_> = outcomes.collect();
            let receipts = outcomes
                .iter()
                .flatten()
                .filter(|outcome| outcome.is_receipt())
                .count();
            assert_eq!(receipts, 0);
            count_outcomes(outcomes)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_that_stop_get_no_receipt_by_http1() {
    check_survives(
        "900 connections with a body that stops before the end",
        async |service| {
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: 1000005\r\n\r\n",
                path(service.kind(), Method::Batch),
                content_type(service.kind())
            );
            let body = body(service.kind(), vec![b' '; 1_000_000]);
            let attacks = (0..900).map(async |_| {
                let mut stream = TcpStream::connect(service.address()).await?;
                stream.write_all(head.as_bytes()).await?;
                // Either a response, or a reset because the server closed the connection during the write.
                if stream.write_all(&body[..900_000]).await.is_ok() {
                    timeout(RESPONSE_TIMEOUT, stream.read_u8()).await?.ok();
                }
                anyhow::Ok(())
            });
            for attack in join_all(attacks).await {
                attack.unwrap();
            }
            let counts = async || {
                let overloaded = service.count_by_outcome("overloaded").await.unwrap();
                let deadline = service.count_by_outcome("deadline").await.unwrap();
                (overloaded as usize, deadline as usize)
            };
            // The service counts a request after the client has its response.
            wait_until(async || {
                let (overloaded, deadline) = counts().await;
                overloaded + deadline == 900
            })
            .await;
            let (overloaded, deadline) = counts().await;
            format!("{overloaded} rejected for overload, {deadline} at the deadline")
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_count_against_the_memory_budget() {
    const BATCHES: usize = 2_000;
    for kind in ServiceKind::KAFKA_PRODUCERS {
        // The long timeout keeps the unread responses in memory for the whole test.
        let mut service = ServiceProcess::start_without_kafka(kind, &["--idle-timeout-ms", "600000"])
            .await
            .unwrap();
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(0);
        // A small request with a large response: a thousand votes without fields.
        let batch = if kind == ServiceKind::Grpc {
            grpc_frame(&[0x0a, 0x00].repeat(1_000))
        } else {
            format!("[{}]", vec!["{}"; 1_000].join(",")).into()
        };
        let mut client = Http2Client::connect_with(kind, service.address(), &settings)
            .await
            .unwrap();
        let mut calls = Vec::new();
        for _ in 0..BATCHES {
            let mut call = client.start_call(Method::Batch).await.unwrap();
            call.body.send_data(batch.clone(), true).unwrap();
            calls.push(call);
        }
        // A batch has arrived when its votes count as invalid, or when the whole batch counts as overloaded.
        wait_until(async || {
            let rejected = service.count_by_outcome("overloaded").await.unwrap();
            let invalid_batches = service.count_by_outcome("invalid").await.unwrap() / 1_000.0;
            invalid_batches + rejected >= BATCHES as f64
        })
        .await;
        let rejected = service.count_by_outcome("overloaded").await.unwrap();
        drop((calls, client));
        let summary = format!("{rejected} batches rejected because of unread responses");
        assert!(
            rejected > 0.0,
            "{kind:?}: no batch was rejected although the responses stay unread"
        );
        let background_client = BackgroundClient::start(&service).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let outcomes = background_client.stop().await;
        report(
            "2,000 batches whose responses the client does not read",
            &mut service,
            &summary,
            outcomes.len(),
        )
        .await;
    }
}

/// Only gRPC has streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_are_bounded() {
    const STREAMS: usize = 1_200;
    const MAX_STREAMS: usize = 256;
    let options = ["--idle-timeout-ms", "600000"];
    let mut service = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &options)
        .await
        .unwrap();
    let background_client = BackgroundClient::start(&service).await;
    let mut settings = h2::client::Builder::new();
    settings.initial_window_size(0);
    let votes: Bytes = vote_body(ServiceKind::Grpc).repeat(20_000).into();
    let mut streams = Vec::new();
    for _ in 0..12 {
        let mut client = Http2Client::connect_with(ServiceKind::Grpc, service.address(), &settings)
            .await
            .unwrap();
        for _ in 0..STREAMS / 12 {
            let mut call = client.start_call(Method::Stream).await.unwrap();
            call.body.send_data(votes.clone(), false).unwrap();
            streams.push(call);
        }
    }
    wait_until(async || {
        service.count_by_outcome("overloaded").await.unwrap() as usize >= STREAMS - MAX_STREAMS
    })
    .await;
    let outcomes = background_client.stop().await;
    assert!(outcomes.iter().all(CallOutcome::is_receipt));
    // When the flow-control windows are full, the service accepts no more votes: the attack then holds all memory it can.
    let accepted = async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        service.count_by_outcome("accepted").await.unwrap() as u64
    };
    while accepted().await != accepted().await {}
    let summary = format!(
        "{} rejected at once, the others stopped by flow control",
        STREAMS - MAX_STREAMS
    );
    let name = "1,200 streams of 20,000 votes whose responses the client does not read";
    report(name, &mut service, &summary, outcomes.len()).await;
    drop(streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baseline_without_an_attack() {
    check_survives("none, as a baseline: 10,000 votes", async |service| {
        let mut client = Http2Client::connect(service.kind(), service.address())
            .await
            .unwrap();
        for _ in 0..10_000 {
            assert!(
                client
                    .send_call(Method::Single, vote_body(service.kind()))
                    .await
                    .unwrap()
                    .is_receipt()
            );
        }
        "all receipts".to_owned()
    })
    .await;
}
