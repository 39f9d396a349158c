//! One vote with one id, sent in every way that can carry an id. Each attempt gets a receipt and the same key in Kafka, so
//! that the vote is counted once.

use e2e::endpoints::{EndpointClients, VoteResponse};
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use proto::votes::{Receipt, Vote};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::INGEST_SERVERS;

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

fn receipt(response: &Value) -> Receipt {
    Receipt {
        vote_id: response["vote_id"].as_str().unwrap().to_owned(),
        route: response["route"].as_str().unwrap().to_owned(),
        partition: response["partition"].as_i64().unwrap() as i32,
        offset: response["offset"].as_i64().unwrap(),
    }
}

#[tokio::test]
async fn every_copy_of_a_vote_has_the_same_key_in_kafka() {
    let stack = EphemeralStack::start_only(&INGEST_SERVERS).unwrap();
    let endpoints = stack.endpoints();
    let clients = EndpointClients::connect(endpoints).await.unwrap();
    let id = Uuid::new_v4().to_string();
    let (upper_case, quoted) = (id.to_uppercase(), format!("\"{id}\""));

    let mut receipts = Vec::new();
    for base in [&endpoints.rest, &endpoints.bridge] {
        for (key, body) in [
            (Some(id.as_str()), vote()),
            (Some(upper_case.as_str()), vote()),
            (Some(quoted.as_str()), vote()),
            (None, with_id(&id)),
            (Some(id.as_str()), with_id(&upper_case)),
        ] {
            let (status, response) = post(base, key, &body).await;
            assert_eq!(status, 202, "{base} {key:?} {body}: {response}");
            receipts.push(receipt(&response));
        }
    }
    let by_grpc = Vote {
        name: "Easy Easy".to_owned(),
        album: "Despertar".to_owned(),
        year: "2001".to_owned(),
        rank: "8".to_owned(),
        vote_id: id.clone(),
    };
    match clients.send_by_grpc(by_grpc).await.unwrap() {
        VoteResponse::Receipt(receipt) => receipts.push(receipt),
        rejection @ VoteResponse::Rejection { .. } => panic!("{rejection:?}"),
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
            (&receipt.vote_id, &event.vote_id, event.id_from_client),
            (&id, &id, true)
        );
        assert_eq!(
            receipt.partition, partition,
            "all copies must be in one partition"
        );
    }
    assert_eq!(records.ids().filter(|key| *key == id).count(), receipts.len());
    assert_eq!(records.ids().count(), receipts.len());

    let (nil, max) = (Uuid::nil().to_string(), Uuid::max().to_string());
    for base in [&endpoints.rest, &endpoints.bridge] {
        for (key, body) in [
            (Some("not-a-uuid"), vote()),
            (Some(id.as_str()), with_id(&Uuid::new_v4().to_string())),
            (None, with_id("not-a-uuid")),
            (Some(nil.as_str()), vote()),
            (Some(max.as_str()), vote()),
            (Some(nil.as_str()), with_id(&nil)),
            (None, with_id(&max)),
        ] {
            let (status, problem) = post(base, key, &body).await;
            assert_eq!(
                (status, &problem["errors"][0]["field"]),
                (422, &json!("vote_id")),
                "{base} {key:?}: {problem}"
            );
        }
    }
}
