//! The command lines of the project's own services.

use std::time::Duration;

use anyhow::Result;

use super::context::LaunchContext;
use crate::endpoints::{mongodb_uri, redis_url};
use crate::ports::Port;
use crate::process::ProcessSpec;
use crate::project;

/// The deadline of a vote in the producer of a stock service: the default of `--deadline-ms`.
const STOCK_DEADLINE: Duration = Duration::from_secs(2);

pub(super) fn rest(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-rest")
        .args(listen(context, Port::Rest, Port::RestAdmin))
        .args(kafka_brokers(context));
    with_limits(context, spec)
}

pub(super) fn grpc(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-grpc")
        .args(["serve"])
        .args(listen(context, Port::Grpc, Port::GrpcAdmin))
        .args(kafka_brokers(context));
    with_limits(context, spec)
}

pub(super) fn bridge(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-grpc")
        .args(["bridge"])
        .args(listen(context, Port::Bridge, Port::BridgeAdmin))
        .args(["--upstream".to_owned(), context.settings.ports.url(Port::Grpc)]);
    with_limits(context, spec)
}

/// The stock service of one protocol, on the port of our own. Its producer has the settings of ours, so that only its
/// implementation differs.
pub(super) fn stock(context: &LaunchContext<'_>, protocol: &str, port: Port) -> ProcessSpec {
    let settings = kafka::producer_settings(&kafka::ProducerArgs::default(), STOCK_DEADLINE);
    let settings = settings
        .into_iter()
        .flat_map(|(name, value)| ["--producer-setting".to_owned(), format!("{name}={value}")]);
    program(context, "naive")
        .args(["--only".to_owned(), protocol.to_owned()])
        .args([
            format!("--{protocol}-listen"),
            context.settings.ports.address(port),
        ])
        .args(kafka_brokers(context))
        .args(settings)
}

pub(super) fn consumer(context: &LaunchContext<'_>) -> ProcessSpec {
    let ports = &context.settings.ports;
    program(context, "consumer")
        .args([
            "run".to_owned(),
            "--admin-addr".to_owned(),
            ports.address(Port::ConsumerAdmin),
        ])
        .args(kafka_brokers(context))
        .args(["--redis-url".to_owned(), redis_url(ports)])
        .args(["--mongodb-uri".to_owned(), mongodb_uri(ports)])
}

pub(super) fn viewer(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let (ports, root) = (&context.settings.ports, project::root()?);
    Ok(program(context, "viewer")
        .args(listen(context, Port::Viewer, Port::ViewerAdmin))
        .args(["--mongodb-uri".to_owned(), mongodb_uri(ports)])
        .args(["--redis-url".to_owned(), redis_url(ports)])
        .args(["--prometheus-url".to_owned(), ports.url(Port::Prometheus)])
        // Must equal `scrape_interval` in prometheus/prometheus.yml.
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

fn program(context: &LaunchContext<'_>, name: &str) -> ProcessSpec {
    ProcessSpec::new(context.programs.join(name))
}

fn listen(context: &LaunchContext<'_>, listen: Port, admin: Port) -> [String; 4] {
    let ports = &context.settings.ports;
    [
        "--listen".to_owned(),
        ports.address(listen),
        "--admin-addr".to_owned(),
        ports.address(admin),
    ]
}

fn kafka_brokers(context: &LaunchContext<'_>) -> [String; 2] {
    [
        "--kafka-brokers".to_owned(),
        context.settings.ports.address(Port::Kafka),
    ]
}

/// Adds the deadline, the admission limit and the catalogue, which must be the same on every route: otherwise the routes
/// cannot be compared.
fn with_limits(context: &LaunchContext<'_>, spec: ProcessSpec) -> ProcessSpec {
    let deadline = context
        .settings
        .deadline_ms
        .map(|value| ["--deadline-ms".to_owned(), value.to_string()]);
    let in_flight = context
        .settings
        .max_in_flight
        .map(|value| ["--max-in-flight".to_owned(), value.to_string()]);
    let catalogue = context
        .settings
        .catalogue
        .as_ref()
        .map(|path| ["--catalogue".to_owned(), path.display().to_string()]);
    spec.args(deadline.into_iter().flatten())
        .args(in_flight.into_iter().flatten())
        .args(catalogue.into_iter().flatten())
}
