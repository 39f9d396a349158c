//! With a catalogue, every endpoint refuses the same votes with the same reason, and other votes are not affected.

use std::io::Write;
use std::time::Duration;

use e2e::endpoints::{Endpoint, EndpointClients, VoteResponse};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::RESPONSE_TIMEOUT;
use ephemeral_stack::EphemeralStack;
use lab::ports::free_address;
use lab::servers::Server;
use prost::Message;
use proto::votes::Vote;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::time::timeout;

use crate::INGEST_SERVERS;

const CATALOGUE: &str = "name,album\nAlux  Nahual,Centroame\u{301}rica\nLa Tona,Moneda\n";
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;

fn catalogue_file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn every_endpoint_refuses_votes_that_are_not_in_the_catalogue() {
    let file = catalogue_file(CATALOGUE);
    let names = INGEST_SERVERS.map(Server::name).join(",");
    let options = ["--only", &names, "--catalogue", file.path().to_str().unwrap()];
    let stack = EphemeralStack::start_with(&options).unwrap();
    let clients = EndpointClients::connect(stack.endpoints()).await.unwrap();
    let not_in_catalogue =
        |field: &'static str, message: &'static str| Some((404, NOT_FOUND, field, message));
    for (name, album, year, expected) in [
        ("Alux Nahual", "Centroamérica", "1986", None),
        ("Alux\u{a0}Nahual ", "Centroame\u{301}rica", "1986", None),
        ("La Tona", "Moneda", "1995", None),
        (
            "La Tona",
            "Centroamérica",
            "1986",
            not_in_catalogue("album", "is not an album of this band in the catalogue"),
        ),
        (
            "la tona",
            "Moneda",
            "1995",
            not_in_catalogue("name", "is not a band of the catalogue"),
        ),
        (
            "Metallica",
            "Load",
            "1996",
            not_in_catalogue("name", "is not a band of the catalogue"),
        ),
        // An invalid vote is not looked up.
        (
            "Metallica",
            "Load",
            "1899",
            Some((
                422,
                INVALID_ARGUMENT,
                "year",
                "must be an integer from 1900 to 2100",
            )),
        ),
    ] {
        for endpoint in Endpoint::ALL {
            let response = send(&clients, endpoint, name, album, year).await;
            match (&expected, &response) {
                (None, VoteResponse::Receipt(_)) => {}
                (
                    Some((status, grpc_code, field, message)),
                    VoteResponse::Rejection { code, errors, retry },
                ) => {
                    let expected_code = if endpoint == Endpoint::Grpc {
                        grpc_code
                    } else {
                        status
                    };
                    assert_eq!((code, retry), (expected_code, &false), "{name} by {endpoint:?}");
                    assert_eq!(errors, &[((*field).to_owned(), (*message).to_owned())]);
                }
                _ => panic!("{name}, {album} by {endpoint:?}: {response:?}"),
            }
        }
    }
    let [rest, grpc, bridge] = catalogues_in_configuration(&stack).await;
    assert_eq!((&rest, &rest), (&grpc, &bridge));
    assert_eq!(rest.as_str().unwrap().len(), 12, "the digest of the file");
}

#[tokio::test]
async fn batch_names_each_vote_that_is_not_in_the_catalogue() {
    let file = catalogue_file(CATALOGUE);
    let options = ["--catalogue", file.path().to_str().unwrap()];
    let service = ServiceProcess::start_without_kafka(ServiceKind::Rest, &options)
        .await
        .unwrap();
    let vote = |name: &str| json!({"name": name, "album": "Moneda", "year": 1995, "rank": 9});
    let response = reqwest::Client::new()
        .post(format!("http://{}/v1/votes:batch", service.address()))
        .json(&[vote("La Tona"), vote("Metallica"), vote("La Tona")])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["accepted"], &body["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(body["results"][1]["status"], 404);
    assert_eq!(
        body["results"][1]["title"],
        "The band or the album is not in the catalogue"
    );
    assert!((service.count_by_outcome("invalid").await.unwrap() - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn service_does_not_start_with_an_unreadable_catalogue() {
    let file = catalogue_file("name,album\nLa Tona,Moneda\nAlux Nahual,\u{200b}\n");
    for kind in [ServiceKind::Rest, ServiceKind::Grpc, ServiceKind::Bridge] {
        let options = ["--catalogue", file.path().to_str().unwrap()];
        let mut service = ServiceProcess::spawn(kind, &options, free_address().unwrap()).unwrap();
        let exited = async {
            while service.is_alive() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(RESPONSE_TIMEOUT, exited).await.unwrap();
        let log = service.log();
        assert!(
            log.contains("--catalogue") && log.contains("line 3: album must contain a visible character"),
            "{kind:?}: {log}"
        );
    }
}

async fn send(
    clients: &EndpointClients,
    endpoint: Endpoint,
    name: &str,
    album: &str,
    year: &str,
) -> VoteResponse {
    let vote = Vote {
        name: name.to_owned(),
        album: album.to_owned(),
        year: year.to_owned(),
        rank: "9.5".to_owned(),
        vote_id: String::new(),
    };
    let json = json!({"name": name, "album": album, "year": year, "rank": "9.5"}).to_string();
    let response = match endpoint {
        Endpoint::RestJson | Endpoint::BridgeJson => {
            clients
                .send_json(endpoint, "application/json", json.into_bytes())
                .await
        }
        Endpoint::RestProtobuf | Endpoint::Grpc => {
            clients.send_protobuf(endpoint, vote.encode_to_vec()).await
        }
    };
    response.unwrap()
}

/// The setting `catalogue` in the configuration of each route.
async fn catalogues_in_configuration(stack: &EphemeralStack) -> [Value; 3] {
    let endpoints = stack.endpoints();
    let mut values = Vec::new();
    for admin in [
        &endpoints.rest_admin,
        &endpoints.grpc_admin,
        &endpoints.bridge_admin,
    ] {
        let configuration: Value = reqwest::get(format!("{admin}/config"))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        values.push(configuration["settings"]["catalogue"].clone());
    }
    values.try_into().unwrap()
}
