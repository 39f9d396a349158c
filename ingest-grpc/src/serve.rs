//! `ingest-grpc serve`: the gRPC route, and the upstream of the bridge.

use std::net::SocketAddr;
use std::sync::Arc;

use fault_injection::{FaultInjectionArgs, InjectedFault, VoteSink};
use ingest::{Ingest, IngestArgs, RequestMetrics, register_config_info};
use kafka::{KafkaArgs, KafkaSink};
use service::listener::{self, ListenerArgs};
use service::{AuthArgs, CommonArgs, CorsArgs, EffectiveConfig, Process, metrics};
use tokio::sync::Semaphore;
use tower::Layer;
use tower_http::set_header::SetResponseHeaderLayer;
use vote::Route;

use crate::edge::{self, Edge};
use crate::health_and_reflection;
use crate::methods::Server;
use crate::services::Services;
use crate::stream::MAX_STREAMS;
use crate::version::VERSION;
use crate::web::{self, WithWeb};

/// Maximum size of an HTTP/2 request head that [`Edge`] sees. It rejects heads larger than those of REST with a gRPC status;
/// beyond this size the HTTP library answers with HTTP 431, which gRPC clients report as UNKNOWN.
const H2_HEAD_LIMIT: u32 = 128 * 1024;

/// Options of `ingest-grpc serve`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address to accept votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    cors: CorsArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    fault_injection: FaultInjectionArgs,
}

/// Runs until the process shuts down.
pub(crate) async fn start(args: ServeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let listener_args = args
        .listener
        .clone()
        .with_nagle(args.fault_injection.has(InjectedFault::Nagle));
    let effective = EffectiveConfig::of_route(&common, &listener_args)
        .with_all("", args.ingest.settings())
        .with_all("", args.auth.settings())
        .with_all(
            "kafka.",
            KafkaSink::settings(&args.kafka.producer, args.ingest.deadline()),
        )
        .with_all("", args.cors.settings())
        .with_all("kafka.", args.kafka.brokers.security.settings())
        .with("sink", args.kafka.sink)
        .with("injected_faults", &args.fault_injection)
        .with_all("traces.", process.traces.settings());
    register_config_info(&process.registry, Route::Grpc, VERSION, &effective.hash())?;
    process.announce(effective);

    let (kafka_check, failure_handle) = (process.readiness.register("kafka"), process.clone());
    // Bind before the process can report that it is ready, because clients may then connect at once.
    let tcp_listener = listener::bind(args.listen).await?;
    let sink = VoteSink::open(
        &args.kafka,
        &args.fault_injection,
        args.ingest.deadline(),
        move |state| kafka_check.report(state),
        move |reason| failure_handle.fail(reason),
    )?;
    let authenticator = args.auth.open(&process.shutdown)?;
    let memory = args.ingest.memory_budget();
    // Each `Ingest` has its own admission limit, so that forwarded votes cannot use up the permits of native votes.
    let ingest = |route, metrics| {
        Ingest::new(route, Arc::clone(&sink), metrics, args.ingest.limits(&memory))
            .with_tracer(process.traces.tracer())
            .with_authenticator(authenticator.clone())
    };
    let server = Arc::new(Server {
        native: ingest(
            Route::Grpc,
            RequestMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Grpc)?,
        ),
        forwarded: ingest(
            Route::Bridge,
            RequestMetrics::for_forward(&process.registry, &metrics::BUCKETS)?,
        ),
        stream_permits: Arc::new(Semaphore::new(MAX_STREAMS)),
        idle_timeout: listener_args.idle_timeout(),
        shutdown: process.shutdown.clone(),
    });

    let others = health_and_reflection::services(process.readiness.clone())?;
    let open = Services::Open {
        server: Arc::clone(&server),
        others,
    };
    let services = Edge::new(Arc::clone(&server), open);
    let overloaded = Edge::new(Arc::clone(&server), Services::Overloaded(server));
    let listener_args = listener_args.with_h2_head_limit(H2_HEAD_LIMIT);
    tracing::info!(listen = %args.listen, sink = ?args.kafka.sink, "accepting votes");
    match web::cors_layer(&args.cors) {
        None => listener::serve(tcp_listener, services, overloaded, listener_args, &process).await?,
        Some(cors) => {
            // Responses to preflight requests do not pass through the edge.
            let route = SetResponseHeaderLayer::overriding(http_api::ROUTE_HEADER, edge::ROUTE);
            let for_pages = |edge| route.layer(cors.layer(WithWeb::new(edge)));
            let (services, overloaded) = (for_pages(services), for_pages(overloaded));
            listener::serve(tcp_listener, services, overloaded, listener_args, &process).await?;
        }
    }
    sink.close(process.flush_timeout()).await;
    Ok(())
}
