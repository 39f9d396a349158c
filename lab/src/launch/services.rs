//! The command lines of the project's own services.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::context::LaunchContext;
use crate::ports::Port;
use crate::process::ProcessSpec;
use crate::project;
use crate::secrets::{Secrets, User, Voter};
use crate::servers::Server;

/// The deadline of a vote in the producer of a stock service: the default of `--deadline-ms`.
const STOCK_DEADLINE: Duration = Duration::from_secs(2);

pub(super) fn rest(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-rest")
        .args(listen(context, Server::Rest, Port::Rest, Port::RestAdmin))
        .args(identities(context))
        .args(context.access.kafka_options(User::Ingest));
    with_limits(context, spec)
}

pub(super) fn grpc(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-grpc")
        .args(["serve"])
        .args(listen(context, Server::Grpc, Port::Grpc, Port::GrpcAdmin))
        .args(identities(context))
        .args(context.access.kafka_options(User::Ingest));
    with_limits(context, spec)
}

pub(super) fn bridge(context: &LaunchContext<'_>) -> ProcessSpec {
    let spec = program(context, "ingest-grpc")
        .args(["bridge"])
        .args(listen(context, Server::Bridge, Port::Bridge, Port::BridgeAdmin))
        .args(identities(context))
        .args(secret_file(context, "--upstream-token-file", |secrets| {
            secrets.token_file(Voter::Bridge)
        }))
        .args(["--upstream".to_owned(), context.access.url(Port::Grpc)])
        .args(ca(context, "--upstream-ca"));
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
        .args([
            "--kafka-brokers".to_owned(),
            context.settings.ports.address(Port::Kafka),
        ])
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
        .args(context.access.admin_tls_options(Server::Consumer))
        .args(context.access.consumer_options())
}

pub(super) fn viewer(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let root = project::root()?;
    Ok(program(context, "viewer")
        .args(listen(context, Server::Viewer, Port::Viewer, Port::ViewerAdmin))
        .args(context.access.store_options(User::Viewer, Server::Viewer))
        .args([
            "--prometheus-url".to_owned(),
            context.access.url(Port::Prometheus),
        ])
        .args(ca(context, "--prometheus-ca"))
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

/// The addresses of a service and, in a secured stack, its certificate, which its admin port has, too.
fn listen(context: &LaunchContext<'_>, server: Server, listen: Port, admin: Port) -> Vec<String> {
    let ports = &context.settings.ports;
    let mut options = vec![
        "--listen".to_owned(),
        ports.address(listen),
        "--admin-addr".to_owned(),
        ports.address(admin),
    ];
    if let Some(secrets) = &context.access.secrets {
        for (option, path) in [
            ("--tls-cert", secrets.cert(server)),
            ("--tls-key", secrets.key(server)),
        ] {
            options.extend([option.to_owned(), path.display().to_string()]);
        }
    }
    options.extend(context.access.admin_tls_options(server));
    options
}

/// The option that names the CA, in a secured stack.
fn ca(context: &LaunchContext<'_>, option: &str) -> Vec<String> {
    secret_file(context, option, Secrets::ca)
}

/// The option that names those who may vote, in a secured stack.
fn identities(context: &LaunchContext<'_>) -> Vec<String> {
    secret_file(context, "--identities", Secrets::identities)
}

/// An option that names a file, in a secured stack.
fn secret_file(context: &LaunchContext<'_>, option: &str, file: impl Fn(&Secrets) -> PathBuf) -> Vec<String> {
    let secrets = context.access.secrets.iter();
    secrets
        .flat_map(|secrets| [option.to_owned(), file(secrets).display().to_string()])
        .collect()
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
