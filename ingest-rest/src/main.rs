//! The REST route: accepts votes over HTTP and publishes them to Kafka.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use fault_injection::{FaultInjectionArgs, InjectedFault, VoteSink};
use ingest::{Ingest, IngestArgs, RequestMetrics, register_config_info};
use kafka::{KafkaArgs, KafkaSink};
use service::listener::{self, ListenerArgs};
use service::{AuthArgs, CommonArgs, CorsArgs, EffectiveConfig, Identity, Process, metrics};
use vote::Route;

#[global_allocator]
static ALLOCATOR: service::RouteAllocator = service::ROUTE_ALLOCATOR;

const IDENTITY: Identity = Identity {
    name: "ingest-rest",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9101),
};

/// Accepts votes over HTTP (HTTP/1.1 or h2c, JSON or protobuf) and confirms each one after it is durable in Kafka.
///
/// Try it:  curl -d '{"name":"Alux Nahual","album":"Centroamérica","year":1984,"rank":9.5}'
///               -H 'content-type: application/json' http://127.0.0.1:8080/v1/votes
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Cli {
    /// Address to accept votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    cors: CorsArgs,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    fault_injection: FaultInjectionArgs,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    let cli: Cli = service::parse_command_line();
    let common = cli.common.clone();
    service::run(IDENTITY, &common, |process| start(cli, process))
}

async fn start(cli: Cli, process: Process) -> anyhow::Result<()> {
    let listener_args = cli
        .listener
        .clone()
        .with_nagle(cli.fault_injection.has(InjectedFault::Nagle));
    let effective = EffectiveConfig::of_route(&cli.common, &listener_args)
        .with_all("", cli.cors.settings())
        .with_all("", cli.ingest.settings())
        .with_all("", cli.auth.settings())
        .with_all(
            "kafka.",
            KafkaSink::settings(&cli.kafka.producer, cli.ingest.deadline()),
        )
        .with_all("kafka.", cli.kafka.brokers.security.settings())
        .with("sink", cli.kafka.sink)
        .with("injected_faults", &cli.fault_injection)
        .with_all("traces.", process.traces.settings());
    register_config_info(
        &process.registry,
        Route::Rest,
        IDENTITY.version,
        &effective.hash(),
    )?;
    process.announce(effective);

    let (kafka_check, failure_handle) = (process.readiness.register("kafka"), process.clone());
    // Bind before the process can report that it is ready, because clients may then connect at once.
    let tcp_listener = listener::bind(cli.listen).await?;
    let sink = VoteSink::open(
        &cli.kafka,
        &cli.fault_injection,
        cli.ingest.deadline(),
        move |state| kafka_check.report(state),
        move |reason| failure_handle.fail(reason),
    )?;
    let ingest = Ingest::new(
        Route::Rest,
        Arc::clone(&sink),
        RequestMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Rest)?,
        cli.ingest.limits(&cli.ingest.memory_budget()),
    );
    let ingest = ingest
        .with_tracer(process.traces.tracer())
        .with_authenticator(cli.auth.open(&process.shutdown)?);
    let ingest = Arc::new(ingest);
    tracing::info!(listen = %cli.listen, sink = ?cli.kafka.sink, "accepting votes");
    let cors = cli
        .cors
        .layer(http_api::REQUEST_HEADERS, http_api::RESPONSE_HEADERS);
    let (router, overload_router) = (
        http_api::router(Arc::clone(&ingest), cors.clone()),
        http_api::overload_router(ingest, cors),
    );
    listener::serve(tcp_listener, router, overload_router, listener_args, &process).await?;
    sink.close(process.flush_timeout()).await;
    Ok(())
}
