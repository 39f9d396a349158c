//! Batches and streams: one result per vote, in order, at every endpoint that takes several votes.

use std::collections::HashSet;

use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use prost::Message;
use proto::confproto::RequestId;
use proto::confproto::get_info_client::GetInfoClient;
use proto::votes::vote_result::Result as Content;
use proto::votes::vote_service_client::VoteServiceClient;
use proto::votes::{CastVotesRequest, CastVotesResponse, Vote, VoteResult};
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::INGEST_SERVERS;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_and_streams_answer_every_vote_in_order() {
    let stack = EphemeralStack::start_only(&INGEST_SERVERS).unwrap();
    let endpoints = stack.endpoints();
    let mut receipts = HashSet::new();
    for base in [&endpoints.rest, &endpoints.bridge] {
        receipts.extend(send_json_array(base).await);
        receipts.extend(send_ndjson(base).await);
        receipts.extend(send_protobuf(base).await);
        receipts.extend(send_gzip(base).await);
        check_rejection_of_whole_batches(base).await;
        check_rejection_of_nil_and_max_ids(base).await;
    }
    receipts.extend(send_grpc_batch(&endpoints.grpc).await);
    receipts.extend(send_grpc_stream(&endpoints.grpc).await);
    receipts.insert(call_the_course_service(&endpoints.grpc).await);

    let brokers = endpoints.kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let in_kafka: Vec<_> = records.ids().collect();
    assert_eq!(
        in_kafka.len(),
        receipts.len(),
        "Kafka must hold one record per receipt"
    );
    assert_eq!(in_kafka.into_iter().collect::<HashSet<_>>(), receipts);
}

/// Votes of which every third is invalid, so that a wrong order of the results fails the test.
fn votes(count: usize) -> Vec<Vote> {
    let vote = |index: usize| Vote {
        name: "La Tona".to_owned(),
        album: format!("Album {index}"),
        year: if is_invalid(index) {
            "0".to_owned()
        } else {
            "1995".to_owned()
        },
        rank: "8.25".to_owned(),
        vote_id: String::new(),
    };
    (0..count).map(vote).collect()
}

fn is_invalid(index: usize) -> bool {
    index % 3 == 1
}

fn json_votes(count: usize) -> Vec<Value> {
    let to_json =
        |vote: Vote| json!({"name": vote.name, "album": vote.album, "year": vote.year, "rank": vote.rank});
    votes(count).into_iter().map(to_json).collect()
}

async fn post(base: &str, content_type: &str, body: impl Into<reqwest::Body>) -> (u16, Vec<u8>) {
    let request = reqwest::Client::new().post(format!("{base}/v1/votes:batch"));
    let response = request
        .header("content-type", content_type)
        .body(body)
        .send()
        .await
        .unwrap();
    (
        response.status().as_u16(),
        response.bytes().await.unwrap().to_vec(),
    )
}

async fn send_json_array(base: &str) -> Vec<String> {
    let (status, body) = post(
        base,
        "application/json",
        serde_json::to_vec(&json_votes(1_000)).unwrap(),
    )
    .await;
    assert_eq!(status, 200);
    check_json(&body, 1_000)
}

async fn send_ndjson(base: &str) -> Vec<String> {
    let lines: Vec<_> = json_votes(7).iter().map(ToString::to_string).collect();
    let (status, body) = post(base, "application/x-ndjson", lines.join("\n") + "\n\n").await;
    assert_eq!(status, 200);
    check_json(&body, 7)
}

async fn send_gzip(base: &str) -> Vec<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, &json_votes(1_000)).unwrap();
    let request = reqwest::Client::new().post(format!("{base}/v1/votes:batch"));
    let response = request
        .header("content-encoding", "gzip")
        .body(encoder.finish().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    check_json(&response.bytes().await.unwrap(), 1_000)
}

fn check_json(body: &[u8], count: usize) -> Vec<String> {
    let response: Value = serde_json::from_slice(body).unwrap();
    let results = response["results"].as_array().unwrap();
    assert_eq!(results.len(), count);
    let mut ids = Vec::new();
    for (index, result) in results.iter().enumerate() {
        if is_invalid(index) {
            assert_eq!(
                (&result["status"], &result["errors"][0]["field"]),
                (&json!(422), &json!("year")),
                "{index}"
            );
        } else {
            ids.push(result["vote_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(
        (response["accepted"].as_u64(), response["rejected"].as_u64()),
        (Some(ids.len() as u64), Some((count - ids.len()) as u64))
    );
    ids
}

async fn send_protobuf(base: &str) -> Vec<String> {
    let request = CastVotesRequest { votes: votes(50) };
    let (status, body) = post(base, "application/x-protobuf", request.encode_to_vec()).await;
    assert_eq!(status, 200);
    check_results(&CastVotesResponse::decode(body.as_slice()).unwrap().results, 50)
}

async fn channel(base: &str) -> Channel {
    Channel::from_shared(base.to_owned())
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn send_grpc_batch(base: &str) -> Vec<String> {
    let mut client = VoteServiceClient::new(channel(base).await).max_decoding_message_size(4 << 20);
    let response = client
        .cast_votes(CastVotesRequest { votes: votes(1_000) })
        .await
        .unwrap()
        .into_inner();
    let too_many = client
        .cast_votes(CastVotesRequest { votes: votes(1_001) })
        .await
        .unwrap_err();
    assert_eq!(too_many.code(), Code::InvalidArgument);
    check_results(&response.results, 1_000)
}

async fn send_grpc_stream(base: &str) -> Vec<String> {
    let mut client = VoteServiceClient::new(channel(base).await);
    let responses = client
        .stream_votes(stream::iter(votes(2_000)))
        .await
        .unwrap()
        .into_inner();
    let results: Vec<_> = responses.map(|result| result.unwrap()).collect().await;
    check_results(&results, 2_000)
}

fn check_results(results: &[VoteResult], count: usize) -> Vec<String> {
    assert_eq!(results.len(), count);
    let check = |(index, result): (usize, &VoteResult)| match result.result.as_ref().unwrap() {
        Content::Receipt(receipt) => {
            assert!(!is_invalid(index), "{index}");
            Some(receipt.vote_id.clone())
        }
        Content::Problem(problem) => {
            assert!(is_invalid(index), "{index}: {problem:?}");
            assert_eq!(
                (problem.status, problem.code, problem.errors[0].field.as_str()),
                (422, 3, "year")
            );
            None
        }
    };
    results.iter().enumerate().filter_map(check).collect()
}

async fn call_the_course_service(base: &str) -> String {
    let mut client = GetInfoClient::new(channel(base).await);
    let request = |year: &str| RequestId {
        name: "Viernes Verde".to_owned(),
        album: "Lémur".to_owned(),
        year: year.to_owned(),
        rank: "9".to_owned(),
    };
    let rejected = client.return_info(request("dos mil")).await.unwrap_err();
    assert_eq!(rejected.code(), Code::InvalidArgument);
    let info = client
        .return_info(request("2004"))
        .await
        .unwrap()
        .into_inner()
        .info;
    info.split_whitespace().nth(1).unwrap().to_owned()
}

/// Votes of two clients that forgot to choose an id must not become one vote.
async fn check_rejection_of_nil_and_max_ids(base: &str) {
    let ids = [Uuid::nil(), Uuid::max(), Uuid::nil()].map(|id| id.to_string());
    let with_ids = votes(ids.len()).into_iter().zip(ids).map(|(vote, vote_id)| Vote {
        vote_id,
        year: "1995".to_owned(),
        ..vote
    });
    let request = CastVotesRequest {
        votes: with_ids.collect(),
    };
    let json: Vec<_> = request
        .votes
        .iter()
        .map(|vote| {
            json!({"name": vote.name, "album": vote.album, "year": 1995, "rank": 8, "vote_id": vote.vote_id})
        })
        .collect();
    let (status, body) = post(base, "application/json", serde_json::to_vec(&json).unwrap()).await;
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &response["rejected"]), (200, &json!(3)), "{response}");
    for result in response["results"].as_array().unwrap() {
        assert_eq!(result["errors"][0]["field"], "vote_id", "{result}");
    }
    let (status, body) = post(base, "application/x-protobuf", request.encode_to_vec()).await;
    let response = CastVotesResponse::decode(body.as_slice()).unwrap();
    assert_eq!((status, response.rejected), (200, 3), "{response:?}");
}

async fn check_rejection_of_whole_batches(base: &str) {
    let too_many = serde_json::to_vec(&json_votes(1_001)).unwrap();
    let too_large = format!("[{{\"name\":\"{}\"}}]", "x".repeat(1 << 20));
    for (content_type, body, expected) in [
        ("application/json", too_many, 413),
        ("application/json", too_large.into_bytes(), 413),
        ("application/json", b"[{}".to_vec(), 400),
        ("application/json", b"{}".to_vec(), 400),
        ("text/csv", b"a,b".to_vec(), 415),
        ("application/x-protobuf", vec![0xff; 9], 400),
        // 524,288 empty votes in 1 MiB.
        ("application/x-protobuf", [0x0a, 0x00].repeat(1 << 19), 413),
    ] {
        let (status, response) = post(base, content_type, body).await;
        assert_eq!(
            status,
            expected,
            "{content_type}: {}",
            String::from_utf8_lossy(&response)
        );
    }
    let (status, body) = post(base, "application/json", "[]").await;
    assert_eq!(
        (status, body.as_slice()),
        (200, br#"{"accepted":0,"rejected":0,"results":[]}"#.as_slice())
    );
}
