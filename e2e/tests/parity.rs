//! Every door gives the same verdict on the same vote, and what it accepts looks the same in Kafka.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use e2e::cases::{self, Case, Expected};
use e2e::doors::{Answer, Door, Doors};
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use lab::servers::Server;
use proto::votes::{Receipt, Route, VoteEvent};
use uuid::Uuid;

const SERVERS: [Server; 4] = [Server::Kafka, Server::Grpc, Server::Rest, Server::Bridge];
const INVALID_ARGUMENT: i32 = 3;

#[tokio::test]
async fn every_door_gives_the_same_verdict_and_the_same_record() {
    let stack = EphemeralStack::start_only(&SERVERS).unwrap();
    let doors = Doors::open(stack.endpoints()).await.unwrap();
    let cases = cases::all();
    assert!(cases.len() >= 40, "only {} cases", cases.len());

    let mut failures = Vec::new();
    let mut receipts = Vec::new();
    for case in &cases {
        for door in Door::ALL {
            let Some(answer) = knock(&doors, door, case).await else {
                continue;
            };
            match judge(case, door, &answer) {
                Ok(Some(receipt)) => receipts.push((case, door, receipt)),
                Ok(None) => {}
                Err(reason) => failures.push(format!("{} by {door:?}: {reason}", case.name)),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} verdicts differ:\n{}",
        failures.len(),
        failures.join("\n")
    );

    let brokers = stack.endpoints().kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    for (case, door, receipt) in &receipts {
        let event = records
            .event(receipt)
            .unwrap_or_else(|error| panic!("{} by {door:?}: {error:#}", case.name));
        assert_eq!(
            comparable(&event, *door),
            wanted(case),
            "{} by {door:?}",
            case.name
        );
    }
    assert_eq!(
        records.ids().count(),
        receipts.len(),
        "a refused vote must leave no record"
    );
    println!(
        "{} cases, {} receipts, all equal in Kafka",
        cases.len(),
        receipts.len()
    );
}

/// Sends a case in by a door, if it can be said there.
async fn knock(doors: &Doors, door: Door, case: &Case) -> Option<Answer> {
    let answer = match (door, &case.protobuf) {
        (Door::RestJson | Door::BridgeJson, _) => {
            doors.send_json(door, case.content_type, case.json.clone()).await
        }
        (Door::RestProtobuf | Door::Grpc, Some(message)) => doors.send_protobuf(door, message.clone()).await,
        (Door::RestProtobuf | Door::Grpc, None) => return None,
    };
    Some(answer.unwrap_or_else(|error| panic!("{} by {door:?}: {error:#}", case.name)))
}

/// Holds an answer to what the case expects; the receipt, if there is one.
fn judge(case: &Case, door: Door, answer: &Answer) -> Result<Option<Receipt>, String> {
    match (&case.expected, answer) {
        (Expected::Accepted(_), Answer::Receipt(receipt)) if receipt.route == door.route() => {
            Ok(Some(receipt.clone()))
        }
        (
            Expected::Refused { status, fields },
            Answer::Refusal {
                code,
                errors,
                retry: false,
            },
        ) => {
            let expected_code = if door == Door::Grpc {
                INVALID_ARGUMENT
            } else {
                i32::from(*status)
            };
            let named: Vec<_> = errors.iter().map(|(field, _)| field.as_str()).collect();
            let explained = errors.iter().all(|(_, message)| !message.is_empty());
            if *code == expected_code && named == *fields && explained {
                return Ok(None);
            }
            Err(format!(
                "wanted {expected_code} naming {fields:?}, got {answer:?}"
            ))
        }
        (expected, _) => Err(format!("wanted {expected:?}, got {answer:?}")),
    }
}

/// An event without what may differ between the doors: route, an id made by the server, and the time.
fn comparable(event: &VoteEvent, door: Door) -> VoteEvent {
    let route = match door.route() {
        "rest" => Route::Rest,
        "grpc" => Route::Grpc,
        _ => Route::Bridge,
    };
    assert_eq!(event.route(), route);
    assert!(
        event.received_at_us > 1_700_000_000_000_000,
        "received_at is in microseconds"
    );
    let id = Uuid::parse_str(&event.vote_id).unwrap();
    let vote_id = if event.client_id {
        id.to_string()
    } else {
        String::new()
    };
    VoteEvent {
        route: 0,
        received_at_us: 0,
        vote_id,
        ..event.clone()
    }
}

fn wanted(case: &Case) -> VoteEvent {
    let Expected::Accepted([name, album, year, rank]) = &case.expected else {
        panic!("{} has no record", case.name);
    };
    let client_id = case.name.starts_with("client's id");
    let vote_id = if client_id {
        "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f".to_owned()
    } else {
        String::new()
    };
    VoteEvent {
        name: name.clone(),
        album: album.clone(),
        year: year.clone(),
        rank: rank.clone(),
        vote_id,
        route: 0,
        received_at_us: 0,
        client_id,
    }
}
