//! Compression with gzip over gRPC: requests and the replies to batches, within the limits for the decompressed size.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use e2e::http2_client::{
    GRPC_PREFIX, Http2Client, Method, WholeResponse, grpc_frame, grpc_request, gzip_frame, path,
    start_grpc_service, vote_body,
};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use flate2::read::GzDecoder;
use futures::{StreamExt, stream};
use prost::Message;
use proto::confproto::RequestId;
use proto::confproto::get_info_client::GetInfoClient;
use proto::votes::vote_service_client::VoteServiceClient;
use proto::votes::{CastVotesRequest, CastVotesResponse, Vote};
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const GZIP: (&str, &str) = ("grpc-encoding", "gzip");
const ACCEPT_GZIP: (&str, &str) = ("grpc-accept-encoding", "gzip, identity");

async fn start(options: &[&str]) -> (ServiceProcess, Http2Client) {
    start_grpc_service(options).await.unwrap()
}

async fn call(
    client: &mut Http2Client,
    method: Method,
    headers: &[(&str, &str)],
    body: Bytes,
) -> WholeResponse {
    let request = grpc_request(path(ServiceKind::Grpc, method));
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    client
        .send_request(request.body(()).unwrap(), body)
        .await
        .unwrap()
}

fn vote() -> Vote {
    Vote::decode(vote_body(ServiceKind::Grpc).slice(GRPC_PREFIX..)).unwrap()
}

fn batch(votes: usize) -> Vec<u8> {
    CastVotesRequest {
        votes: vec![vote(); votes],
    }
    .encode_to_vec()
}

#[tokio::test]
async fn client_that_compresses_is_served_by_every_method() {
    let (service, _) = start(&[]).await;
    let channel = Channel::from_shared(format!("http://{}", service.address())).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut client = VoteServiceClient::new(channel.clone())
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let receipt = client.cast_vote(vote()).await.unwrap().into_inner();
    assert_eq!(receipt.route, "grpc");

    let votes = vec![vote(); 500];
    let results = client.cast_votes(CastVotesRequest { votes }).await.unwrap();
    assert_eq!(results.into_inner().accepted, 500);

    let results = client
        .stream_votes(stream::iter(vec![vote(); 300]))
        .await
        .unwrap();
    let results: Vec<_> = results.into_inner().collect().await;
    assert_eq!(results.len(), 300);
    assert!(results.iter().all(Result::is_ok));

    let Vote {
        name,
        album,
        year,
        rank,
        ..
    } = vote();
    let mut course = GetInfoClient::new(channel.clone())
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let info = course
        .return_info(RequestId {
            name,
            album,
            year,
            rank,
        })
        .await
        .unwrap();
    assert!(info.into_inner().info.contains("is in Kafka"));

    let mut health = HealthClient::new(channel)
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    health.check(HealthCheckRequest::default()).await.unwrap();
    let accepted = service.count_by_outcome("accepted").await.unwrap() as u64;
    assert_eq!(accepted, 1 + 500 + 300 + 1);
}

#[tokio::test]
async fn large_replies_to_batches_are_compressed_for_clients_that_accept_it() {
    let (_service, mut client) = start(&[]).await;
    let body = grpc_frame(&batch(1_000));
    let plain = call(&mut client, Method::Batch, &[], body.clone()).await;
    assert_eq!((plain.header("grpc-encoding"), plain.body[0]), ("", 0));

    let compressed = call(&mut client, Method::Batch, &[ACCEPT_GZIP], body).await;
    assert_eq!(
        (compressed.header("grpc-encoding"), compressed.body[0]),
        ("gzip", 1)
    );
    assert!(
        compressed.body.len() * 3 < plain.body.len(),
        "{}",
        compressed.body.len()
    );
    let mut message = Vec::new();
    GzDecoder::new(&compressed.body[GRPC_PREFIX..])
        .read_to_end(&mut message)
        .unwrap();
    assert_eq!(CastVotesResponse::decode(&message[..]).unwrap().accepted, 1_000);

    // A small reply would grow.
    let small = call(&mut client, Method::Batch, &[ACCEPT_GZIP], grpc_frame(&batch(2))).await;
    assert_eq!((small.grpc_code(), small.body[0]), (Some(Code::Ok), 0));
    for (method, headers) in [
        (Method::Single, [ACCEPT_GZIP, ("grpc-encoding", "identity")]),
        (Method::Stream, [ACCEPT_GZIP, ("grpc-encoding", "identity")]),
        (
            Method::Batch,
            [
                ("grpc-accept-encoding", "br, zstd"),
                ("grpc-encoding", "identity"),
            ],
        ),
    ] {
        let response = call(&mut client, method, &headers, vote_body(ServiceKind::Grpc)).await;
        assert_eq!(response.header("grpc-encoding"), "", "{method:?}");
        assert_eq!(response.body.first(), Some(&0), "{method:?}");
    }
}

#[tokio::test]
async fn unknown_encoding_is_unimplemented_and_the_response_names_the_supported_ones() {
    let (service, mut client) = start(&[]).await;
    let vote = vote_body(ServiceKind::Grpc);
    for encoding in ["br", "deflate", "zstd", "GZIP", "x", ""] {
        for method in [Method::Single, Method::Batch, Method::Stream] {
            for body in [gzip_frame(&vote[GRPC_PREFIX..]), vote.clone()] {
                let response = call(&mut client, method, &[("grpc-encoding", encoding)], body).await;
                assert_eq!(
                    response.grpc_code(),
                    Some(Code::Unimplemented),
                    "{method:?} {encoding}"
                );
                assert_eq!(response.header("grpc-accept-encoding"), "gzip,identity");
            }
        }
    }
    assert_eq!(service.count_by_outcome("invalid").await.unwrap() as u64, 36);

    // A message that is compressed although the call declares no encoding violates the protocol; the specification demands
    // INTERNAL.
    for undeclared in [&[][..], &[("grpc-encoding", "identity")]] {
        let response = call(
            &mut client,
            Method::Single,
            undeclared,
            gzip_frame(&vote[GRPC_PREFIX..]),
        )
        .await;
        assert_eq!(response.grpc_code(), Some(Code::Internal));
    }
    // Each message says whether it is compressed.
    let response = call(&mut client, Method::Single, &[GZIP], vote).await;
    assert_eq!(response.grpc_code(), Some(Code::Ok));
    assert_eq!(service.count_by_outcome("internal").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn invalid_gzip_is_rejected_as_invalid() {
    let (service, mut client) = start(&[]).await;
    let frame = gzip_frame(&vote_body(ServiceKind::Grpc)[GRPC_PREFIX..]);
    let with_message = |message: &[u8]| -> Bytes { [&[1], &grpc_frame(message)[1..]].concat().into() };
    let mut wrong_checksum = frame[GRPC_PREFIX..].to_vec();
    let end = wrong_checksum.len() - 8;
    wrong_checksum[end] ^= 1;
    let broken = [
        with_message(b""),
        with_message(b"not gzip"),
        with_message(&frame[GRPC_PREFIX..frame.len() - 9]),
        with_message(&wrong_checksum),
    ];
    let calls = broken.len() as u64;
    for body in broken {
        for method in [Method::Single, Method::Batch] {
            let response = call(&mut client, method, &[GZIP], body.clone()).await;
            assert_eq!(
                response.grpc_code(),
                Some(Code::InvalidArgument),
                "{method:?} {body:?}"
            );
            assert!(
                response.header("grpc-message").contains("gzip"),
                "{method:?} {body:?}"
            );
        }
        let response = call(&mut client, Method::Stream, &[GZIP], body.clone()).await;
        assert_eq!(response.grpc_code(), Some(Code::InvalidArgument), "{body:?}");
    }
    assert_eq!(
        service.count_by_outcome("invalid").await.unwrap() as u64,
        3 * calls
    );
    assert_eq!(service.count_by_outcome("internal").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn decompressed_message_has_the_same_limit_as_others() {
    const VOTE_LIMIT: usize = 16 * 1024;
    const BATCH_LIMIT: usize = 1024 * 1024;
    let (service, mut client) = start(&[]).await;
    for (method, limit) in [
        (Method::Single, VOTE_LIMIT),
        (Method::Stream, VOTE_LIMIT),
        (Method::Batch, BATCH_LIMIT),
    ] {
        // An unknown field of type bytes fills the message; `too_long` is one byte longer than the limit.
        let padded = |length: usize| {
            let head = [0xfa, 0x06];
            let padding = length - head.len() - 3;
            let varint = [
                padding as u8 | 0x80,
                (padding >> 7) as u8 | 0x80,
                (padding >> 14) as u8,
            ];
            [&head[..], &varint, &vec![0; padding]].concat()
        };
        let longest = call(&mut client, method, &[GZIP], gzip_frame(&padded(limit))).await;
        // The message is read. As a vote it is invalid, because it has no fields.
        let message = longest.header("grpc-message");
        assert!(!message.contains("large"), "{method:?} {message}");
        for length in [limit + 1, 64 * limit] {
            let response = call(&mut client, method, &[GZIP], gzip_frame(&padded(length))).await;
            assert_eq!(
                response.grpc_code(),
                Some(Code::InvalidArgument),
                "{method:?} {length}"
            );
            assert!(
                response.header("grpc-message").contains("large"),
                "{method:?} {length}"
            );
        }
    }
    assert_eq!(service.count_by_outcome("overloaded").await.unwrap() as u64, 0);
}

#[tokio::test]
async fn decompressed_bytes_count_in_the_memory_budget() {
    const LIMIT: usize = 1024 * 1024;
    let options = [
        "--max-buffered-bytes",
        &LIMIT.to_string(),
        "--deadline-ms",
        "60000",
    ];
    let (service, mut client) = start(&options).await;
    // Leaves room for a compressed batch, but not for its decompressed bytes.
    let mut large_call = client.start_call(Method::Batch).await.unwrap();
    let body = grpc_frame(&vec![0xff; LIMIT / 2]);
    large_call
        .body
        .send_data(body.slice(..body.len() - 1), false)
        .unwrap();
    let compressed = gzip_frame(&batch(9_000)[..LIMIT / 3]);
    assert!(compressed.len() < LIMIT / 20);
    wait_until(async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let response = call(&mut client.clone(), Method::Batch, &[GZIP], compressed.clone()).await;
        response.grpc_code() == Some(Code::ResourceExhausted)
    })
    .await;
    assert!(client.send_vote().await.unwrap().is_receipt());
    large_call.body.send_reset(h2::Reason::CANCEL);
    wait_until(async || {
        let response = call(&mut client.clone(), Method::Batch, &[GZIP], compressed.clone()).await;
        response.grpc_code() != Some(Code::ResourceExhausted)
    })
    .await;
    drop(service);
}
