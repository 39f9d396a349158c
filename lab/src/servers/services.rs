//! The project's own services: their command lines.

use anyhow::Result;

use super::Place;
use crate::ports::{Port, Ports};
use crate::process::Launch;
use crate::project;

pub(super) fn rest(place: &Place<'_>) -> Launch {
    tuned(
        place,
        program(place, "ingest-rest")
            .args(listen(place, Port::Rest, Port::RestAdmin))
            .args(kafka(place)),
    )
}

pub(super) fn grpc(place: &Place<'_>) -> Launch {
    let launch = program(place, "ingest-grpc")
        .args(["serve"])
        .args(listen(place, Port::Grpc, Port::GrpcAdmin))
        .args(kafka(place));
    tuned(place, launch)
}

pub(super) fn bridge(place: &Place<'_>) -> Launch {
    let launch = program(place, "ingest-grpc")
        .args(["bridge"])
        .args(listen(place, Port::Bridge, Port::BridgeAdmin))
        .args(["--upstream".to_owned(), place.settings.ports.url(Port::Grpc)]);
    tuned(place, launch)
}

pub(super) fn consumer(place: &Place<'_>) -> Launch {
    let ports = &place.settings.ports;
    program(place, "consumer")
        .args([
            "run".to_owned(),
            "--admin-addr".to_owned(),
            ports.address(Port::ConsumerAdmin),
        ])
        .args(kafka(place))
        .args([
            "--redis-url".to_owned(),
            format!("redis://{}", ports.address(Port::Redis)),
        ])
        .args(["--mongodb-uri".to_owned(), mongodb_uri(ports)])
}

pub(super) fn viewer(place: &Place<'_>) -> Result<Launch> {
    let (ports, root) = (&place.settings.ports, project::root()?);
    Ok(program(place, "viewer")
        .args(listen(place, Port::Viewer, Port::ViewerAdmin))
        .args(["--mongodb-uri".to_owned(), mongodb_uri(ports)])
        .args([
            "--redis-url".to_owned(),
            format!("redis://{}", ports.address(Port::Redis)),
        ])
        .args(["--prometheus-url".to_owned(), ports.url(Port::Prometheus)])
        // As in prometheus.yml.
        .args(["--scrape-interval-s", "2"])
        .args([
            "--results-dir".to_owned(),
            root.join("results").display().to_string(),
        ])
        .args([
            "--web-dir".to_owned(),
            root.join("viewer/web/dist").display().to_string(),
        ]))
}

/// The address under which drivers find the replica set's primary.
pub(crate) fn mongodb_uri(ports: &Ports) -> String {
    format!("mongodb://{}/?replicaSet=rs0", ports.address(Port::Mongodb))
}

fn program(place: &Place<'_>, name: &str) -> Launch {
    Launch::new(place.programs.join(name))
}

fn listen(place: &Place<'_>, listen: Port, admin: Port) -> [String; 4] {
    let ports = &place.settings.ports;
    [
        "--listen".to_owned(),
        ports.address(listen),
        "--admin-addr".to_owned(),
        ports.address(admin),
    ]
}

fn kafka(place: &Place<'_>) -> [String; 2] {
    [
        "--kafka-brokers".to_owned(),
        place.settings.ports.address(Port::Kafka),
    ]
}

/// Admission and deadline are the same on every route, or a comparison of them is none.
fn tuned(place: &Place<'_>, launch: Launch) -> Launch {
    let deadline = place
        .settings
        .deadline_ms
        .map(|value| ["--deadline-ms".to_owned(), value.to_string()]);
    let in_flight = place
        .settings
        .max_in_flight
        .map(|value| ["--max-in-flight".to_owned(), value.to_string()]);
    launch
        .args(deadline.into_iter().flatten())
        .args(in_flight.into_iter().flatten())
}
