//! One vote under one id, by every way to give an id: a receipt each time, and the same key in Kafka, so that it is counted
//! once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use e2e::doors::{Answer, Doors};
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use lab::servers::Server;
use proto::votes::{Receipt, Vote};
use serde_json::{Value, json};
use uuid::Uuid;

const SERVERS: [Server; 4] = [Server::Kafka, Server::Grpc, Server::Rest, Server::Bridge];

async fn post(base: &str, key: Option<&str>, vote: &Value) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{base}/v1/votes")).json(vote);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn vote() -> Value {
    json!({"name": "Easy Easy", "album": "Despertar", "year": 2001, "rank": 8})
}

fn with_id(id: &str) -> Value {
    let mut vote = vote();
    vote["vote_id"] = id.into();
    vote
}

fn receipt(answer: &Value) -> Receipt {
    Receipt {
        vote_id: answer["vote_id"].as_str().unwrap().to_owned(),
        route: answer["route"].as_str().unwrap().to_owned(),
        partition: answer["partition"].as_i64().unwrap() as i32,
        offset: answer["offset"].as_i64().unwrap(),
    }
}

#[tokio::test]
async fn an_id_is_one_vote_however_it_is_given() {
    let stack = EphemeralStack::start_only(&SERVERS).unwrap();
    let endpoints = stack.endpoints();
    let doors = Doors::open(endpoints).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let loud = id.to_uppercase();

    let mut receipts = Vec::new();
    for base in [&endpoints.rest, &endpoints.bridge] {
        for (key, body) in [
            (Some(id.as_str()), vote()),
            (Some(loud.as_str()), vote()),
            (None, with_id(&id)),
            (Some(id.as_str()), with_id(&loud)),
        ] {
            let (status, answer) = post(base, key, &body).await;
            assert_eq!(status, 202, "{base} {key:?} {body}: {answer}");
            receipts.push(receipt(&answer));
        }
    }
    let by_grpc = Vote {
        name: "Easy Easy".to_owned(),
        album: "Despertar".to_owned(),
        year: "2001".to_owned(),
        rank: "8".to_owned(),
        vote_id: id.clone(),
    };
    match doors.cast(by_grpc).await.unwrap() {
        Answer::Receipt(receipt) => receipts.push(receipt),
        refusal @ Answer::Refusal { .. } => panic!("{refusal:?}"),
    }

    let brokers = endpoints.kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let partition = receipts[0].partition;
    for receipt in &receipts {
        let event = records.event(receipt).unwrap();
        assert_eq!(
            (&receipt.vote_id, &event.vote_id, event.client_id),
            (&id, &id, true)
        );
        assert_eq!(receipt.partition, partition, "copies must meet in one partition");
    }
    assert_eq!(records.ids().filter(|key| *key == id).count(), receipts.len());
    assert_eq!(records.ids().count(), receipts.len());

    for (key, body) in [
        (Some("no-uuid"), vote()),
        (Some(id.as_str()), with_id(&Uuid::new_v4().to_string())),
        (None, with_id("no-uuid")),
    ] {
        let (status, problem) = post(&endpoints.rest, key, &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (422, &json!("vote_id")),
            "{key:?}: {problem}"
        );
    }
}
