//! Floods and monsters: each is refused in order, the memory of the process stays below a bound, and a bystander is served
//! all the while. Prints what happened and the peak of each process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bystander;

use std::time::Duration;

use bytes::Bytes;
use e2e::edge::{Edge, Kind};
use e2e::wire::{Method, PATIENCE, Verdict, Wire, content_type, grpc_frame, path, vote_body, wait_for};
use futures::future::join_all;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bystander::{Bystander, report, tally, withstands};

/// A body for an edge: what JSON reads, or a message of gRPC.
fn body(kind: Kind, bytes: Vec<u8>) -> Bytes {
    if kind == Kind::Grpc {
        grpc_frame(&bytes)
    } else {
        bytes.into()
    }
}

fn is_invalid(verdict: &Verdict, status: u16) -> bool {
    match verdict.grpc_code {
        Some(code) => code == i32::from(tonic::Code::InvalidArgument),
        None => verdict.status == status,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_bodies() {
    withstands("16 requests of 64 MiB", async |edge| {
        let giant = body(edge.kind(), vec![b'['; 64 << 20]);
        let attacks = (0..16).map(async |_| {
            let mut wire = Wire::connect(edge.kind(), edge.address()).await?;
            wire.call(Method::Batch, giant.clone()).await
        });
        let verdicts = join_all(attacks).await;
        // Whoever sends on after his refusal may find the stream reset before he has read it.
        let answered: Vec<_> = verdicts.iter().flatten().collect();
        assert!(!answered.is_empty());
        assert!(
            answered.iter().all(|verdict| is_invalid(verdict, 413)),
            "{answered:?}"
        );
        tally(verdicts)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_nesting() {
    withstands("16 Ki levels of nesting, 1,000 times", async |edge| {
        // Arrays and objects in JSON; in protobuf, groups that begin and never end.
        let shapes = if edge.kind() == Kind::Grpc {
            vec![vec![0x0b; 16_000], vec![0x3b; 16_000]]
        } else {
            vec![
                vec![b'['; 16_000],
                br#"{"a":"#.repeat(3_200),
                br#"{"name":["#.repeat(1_700),
            ]
        };
        let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
        let mut verdicts = Vec::new();
        for index in 0..1_000 {
            let shape = shapes[index % shapes.len()].clone();
            let verdict = wire.call(Method::Single, body(edge.kind(), shape)).await.unwrap();
            assert!(is_invalid(&verdict, 400), "{verdict:?}");
            verdicts.push(Ok(verdict));
        }
        tally(verdicts)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_headers() {
    withstands("200 request heads of 1 MiB", async |edge| {
        let value = "x".repeat(8 * 1024);
        let mut answers = Vec::new();
        for _ in 0..100 {
            let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
            let headers: Vec<_> = (0..128).map(|_| ("x-much", value.as_str())).collect();
            let answer = match wire.begin_with(Method::Single, &headers).await {
                Ok(open) => open.verdict().await,
                Err(error) => Err(error),
            };
            assert!(!answer.as_ref().is_ok_and(Verdict::is_receipt));
            answers.push(answer);
        }
        for _ in 0..100 {
            answers.push(giant_head_by_http1(edge, &value).await);
        }
        tally(answers)
    })
    .await;
}

async fn giant_head_by_http1(edge: &Edge, value: &str) -> anyhow::Result<Verdict> {
    let mut stream = TcpStream::connect(edge.address()).await?;
    let path = path(edge.kind(), Method::Single);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{}",
        format!("x-much: {value}\r\n").repeat(128)
    );
    // It may be refused before it is all written.
    stream.write_all(head.as_bytes()).await.ok();
    let mut answer = vec![0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await??;
    let status = std::str::from_utf8(&answer[9..])?.parse()?;
    anyhow::ensure!(status == 431, "{status}");
    Ok(Verdict {
        status: http::StatusCode::from_u16(status)?,
        grpc_code: None,
        retry: false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets() {
    const RESETS: usize = 10_000;
    withstands("10,000 calls reset at once", async |edge| {
        let (mut sent, mut connections) = (0, 0);
        while sent < RESETS {
            connections += 1;
            let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
            // The server ends a connection that does this too fast; the attacker comes again.
            while sent < RESETS
                && let Ok(mut open) = wire.begin(Method::Single).await
            {
                open.body.send_reset(Reason::CANCEL);
                sent += 1;
            }
        }
        format!("{connections} connections were needed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_streams() {
    for kind in Kind::EDGES {
        // A long deadline: the flood is to stay.
        let mut edge = Edge::start_without_kafka(kind, &["--deadline-ms", "60000"])
            .await
            .unwrap();
        let bystander = Bystander::start(&edge).await;
        let mut flood = Vec::new();
        for connection in 0..6 {
            let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
            let method = if kind == Kind::Grpc && connection == 0 {
                Method::Stream
            } else {
                Method::Single
            };
            for _ in 0..4_000 {
                flood.push(wire.begin(method).await.unwrap());
            }
        }
        let mut others = Wire::connect(kind, edge.address()).await.unwrap();
        wait_for(async || others.clone().vote().await.unwrap().is_overloaded()).await;
        let verdicts = bystander.stop().await;
        assert!(
            verdicts
                .iter()
                .all(|verdict| verdict.is_receipt() || verdict.is_overloaded())
        );
        for open in &mut flood {
            open.body.send_reset(Reason::CANCEL);
        }
        wait_for(async || others.clone().vote().await.unwrap().is_receipt()).await;
        assert!(others.vote().await.unwrap().is_receipt());
        let receipts = verdicts.iter().filter(|verdict| verdict.is_receipt()).count();
        let outcome = format!(
            "refused at once past 16,384; served again when it was gone; {} refusals for the bystander",
            verdicts.len() - receipts
        );
        report("24,000 calls begun and left open", &mut edge, &outcome, receipts).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_big_bodies() {
    const BODIES: usize = 3_000;
    withstands(
        "3,000 batches of 1 MiB that stop before their end",
        async |edge| {
            let part = body(edge.kind(), vec![b' '; 1_000_000]);
            let mut calls = Vec::new();
            for chunk in 0..3 {
                let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
                for _ in 0..BODIES / 3 {
                    let mut open = wire.begin(Method::Batch).await.unwrap();
                    open.body
                        .send_data(part.slice(..part.len() - 1 - chunk), false)
                        .unwrap();
                    calls.push(tokio::spawn(open.verdict()));
                }
            }
            let verdicts = join_all(calls).await.into_iter().map(Result::unwrap);
            let verdicts: Vec<_> = verdicts.collect();
            let receipts = verdicts
                .iter()
                .flatten()
                .filter(|verdict| verdict.is_receipt())
                .count();
            assert_eq!(receipts, 0);
            tally(verdicts)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_by_http1() {
    withstands(
        "900 connections with a body that stops before its end",
        async |edge| {
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: 1000005\r\n\r\n",
                path(edge.kind(), Method::Batch),
                content_type(edge.kind())
            );
            let body = body(edge.kind(), vec![b' '; 1_000_000]);
            let attacks = (0..900).map(async |_| {
                let mut stream = TcpStream::connect(edge.address()).await?;
                stream.write_all(head.as_bytes()).await?;
                // An answer, or a reset where the connection was closed while it was written to.
                if stream.write_all(&body[..900_000]).await.is_ok() {
                    timeout(PATIENCE, stream.read_u8()).await?.ok();
                }
                anyhow::Ok(())
            });
            for attack in join_all(attacks).await {
                attack.unwrap();
            }
            let (overloaded, deadline) = (edge.outcomes("overloaded").await, edge.outcomes("deadline").await);
            let (overloaded, deadline) = (overloaded.unwrap(), deadline.unwrap());
            assert_eq!((overloaded + deadline) as usize, 900);
            format!("{overloaded} refused for overload, {deadline} at their deadline")
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_pile_up() {
    const BATCHES: usize = 2_000;
    for kind in Kind::EDGES {
        // A long patience: what is not taken is to stay.
        let mut edge = Edge::start_without_kafka(kind, &["--idle-timeout-ms", "600000"])
            .await
            .unwrap();
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(0);
        // Few bytes that make many: a thousand votes without fields.
        let batch = if kind == Kind::Grpc {
            grpc_frame(&[0x0a, 0x00].repeat(1_000))
        } else {
            format!("[{}]", vec!["{}"; 1_000].join(",")).into()
        };
        let mut wire = Wire::connect_with(kind, edge.address(), &settings).await.unwrap();
        let mut calls = Vec::new();
        for _ in 0..BATCHES {
            let mut open = wire.begin(Method::Batch).await.unwrap();
            open.body.send_data(batch.clone(), true).unwrap();
            calls.push(open);
        }
        // All of it has arrived when it is counted: as votes with wrong fields, or as batches without room.
        wait_for(async || {
            let refused = edge.outcomes("overloaded").await.unwrap();
            let judged = edge.outcomes("invalid").await.unwrap() / 1_000.0;
            judged + refused >= BATCHES as f64
        })
        .await;
        let refused = edge.outcomes("overloaded").await.unwrap();
        drop((calls, wire));
        let outcome = format!("{refused} batches were refused when too many answers waited");
        assert!(
            refused > 0.0,
            "{kind:?}: the answers that wait are not accounted for"
        );
        let bystander = Bystander::start(&edge).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let verdicts = bystander.stop().await;
        report(
            "2,000 batches whose answers nobody takes",
            &mut edge,
            &outcome,
            verdicts.len(),
        )
        .await;
    }
}

/// Only gRPC has streams; and only so many of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads() {
    const STREAMS: usize = 1_200;
    const PLACES: usize = 256;
    let options = ["--idle-timeout-ms", "600000"];
    let mut edge = Edge::start_without_kafka(Kind::Grpc, &options).await.unwrap();
    let bystander = Bystander::start(&edge).await;
    let mut settings = h2::client::Builder::new();
    settings.initial_window_size(0);
    let votes: Bytes = vote_body(Kind::Grpc).repeat(20_000).into();
    let mut streams = Vec::new();
    for _ in 0..12 {
        let mut wire = Wire::connect_with(Kind::Grpc, edge.address(), &settings)
            .await
            .unwrap();
        for _ in 0..STREAMS / 12 {
            let mut open = wire.begin(Method::Stream).await.unwrap();
            open.body.send_data(votes.clone(), false).unwrap();
            streams.push(open);
        }
    }
    wait_for(async || edge.outcomes("overloaded").await.unwrap() as usize >= STREAMS - PLACES).await;
    let verdicts = bystander.stop().await;
    assert!(verdicts.iter().all(Verdict::is_receipt));
    // What comes in stops when the windows are full: then all that this attack can fill is filled.
    let accepted = async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        edge.outcomes("accepted").await.unwrap() as u64
    };
    while accepted().await != accepted().await {}
    let outcome = format!(
        "{} refused at once, the others held back by their windows",
        STREAMS - PLACES
    );
    let name = "1,200 streams of 20,000 votes that nobody reads";
    report(name, &mut edge, &outcome, verdicts.len()).await;
    drop(streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_at_all() {
    withstands("none, for comparison: 10,000 votes", async |edge| {
        let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
        for _ in 0..10_000 {
            assert!(
                wire.call(Method::Single, vote_body(edge.kind()))
                    .await
                    .unwrap()
                    .is_receipt()
            );
        }
        "all receipts".to_owned()
    })
    .await;
}
