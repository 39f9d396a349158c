//! Every endpoint gives an equivalent response to the same vote, and writes the same event to Kafka.

use e2e::cases::{self, Case, Expected};
use e2e::endpoints::{Endpoint, EndpointClients, VoteResponse};
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use proto::votes::{Receipt, Route, VoteEvent};
use uuid::Uuid;

use crate::INGEST_SERVERS;

const INVALID_ARGUMENT: i32 = 3;

#[tokio::test]
async fn every_endpoint_gives_the_same_response_and_the_same_event() {
    let stack = EphemeralStack::start_only(&INGEST_SERVERS).unwrap();
    let clients = EndpointClients::connect(stack.endpoints()).await.unwrap();
    let cases = cases::all();
    assert!(cases.len() >= 40, "only {} cases", cases.len());

    let mut failures = Vec::new();
    let mut receipts = Vec::new();
    for case in &cases {
        for endpoint in Endpoint::ALL {
            let Some(response) = send_case(&clients, endpoint, case).await else {
                continue;
            };
            match check_response(case, endpoint, &response) {
                Ok(Some(receipt)) => receipts.push((case, endpoint, receipt)),
                Ok(None) => {}
                Err(reason) => failures.push(format!("{} by {endpoint:?}: {reason}", case.name)),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} responses are wrong:\n{}",
        failures.len(),
        failures.join("\n")
    );

    let brokers = stack.endpoints().kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    for (case, endpoint, receipt) in &receipts {
        let event = records
            .event(receipt)
            .unwrap_or_else(|error| panic!("{} by {endpoint:?}: {error:#}", case.name));
        assert_eq!(
            without_variable_fields(&event, *endpoint),
            expected_event(case),
            "{} by {endpoint:?}",
            case.name
        );
    }
    assert_eq!(
        records.ids().count(),
        receipts.len(),
        "a rejected vote must not be in Kafka"
    );
    println!(
        "{} cases, {} receipts; all events are equal",
        cases.len(),
        receipts.len()
    );
}

/// Sends a case to an endpoint; `None` if the encoding of the endpoint cannot express it.
async fn send_case(clients: &EndpointClients, endpoint: Endpoint, case: &Case) -> Option<VoteResponse> {
    let response = match (endpoint, &case.protobuf) {
        (Endpoint::RestJson | Endpoint::BridgeJson, _) => {
            clients
                .send_json(endpoint, case.content_type, case.json.clone())
                .await
        }
        (Endpoint::RestProtobuf | Endpoint::Grpc, Some(message)) => {
            clients.send_protobuf(endpoint, message.clone()).await
        }
        (Endpoint::RestProtobuf | Endpoint::Grpc, None) => return None,
    };
    Some(response.unwrap_or_else(|error| panic!("{} by {endpoint:?}: {error:#}", case.name)))
}

/// Compares a response with the expected one. Returns the receipt, if there is one.
fn check_response(
    case: &Case,
    endpoint: Endpoint,
    response: &VoteResponse,
) -> Result<Option<Receipt>, String> {
    match (&case.expected, response) {
        (Expected::Accepted(_), VoteResponse::Receipt(receipt)) if receipt.route == endpoint.route() => {
            Ok(Some(receipt.clone()))
        }
        (
            Expected::Rejected { status, fields },
            VoteResponse::Rejection {
                code,
                errors,
                retry: false,
            },
        ) => {
            let expected_code = if endpoint == Endpoint::Grpc {
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
                "expected {expected_code} for the fields {fields:?}, got {response:?}"
            ))
        }
        (expected, _) => Err(format!("expected {expected:?}, got {response:?}")),
    }
}

/// An event without the fields that can differ between endpoints: the route, an id of the server, and the time.
fn without_variable_fields(event: &VoteEvent, endpoint: Endpoint) -> VoteEvent {
    let route = match endpoint.route() {
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
    let vote_id = if event.id_from_client {
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

fn expected_event(case: &Case) -> VoteEvent {
    let Expected::Accepted([name, album, year, rank]) = &case.expected else {
        panic!("the case {} expects no record", case.name);
    };
    let id_from_client = case.name.starts_with("client's id");
    let vote_id = if id_from_client {
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
        id_from_client,
    }
}
