//! `ingest-grpc serve`: the gRPC route, and the inner half of the bridge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::{HeaderName, HeaderValue};
use ingest::{Admission, CallMetrics, Ingest, IngestArgs, NullSink, Sink, register_config_info};
use kafka::{KafkaArgs, KafkaSink, SinkKind};
use service::{CommonArgs, Effective, Process, Readiness, listener, metrics};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower_http::set_header::SetResponseHeaderLayer;
use vote::Route;

use crate::VERSION;
use crate::methods::{self, Server};

/// How often the health service is brought in line with the admin port's readiness.
const HEALTH_INTERVAL: Duration = Duration::from_millis(200);

/// Options of `ingest-grpc serve`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address to take votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Runs until the process is told to stop.
pub(crate) async fn start(args: ServeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let check = process.readiness.register("kafka");
    match args.kafka.sink {
        SinkKind::Kafka => {
            let sink = Arc::new(KafkaSink::new(
                &args.kafka.kafka_brokers,
                &args.kafka.topic,
                args.ingest.deadline(),
                move |state| check.report(state),
            )?);
            let flush_timeout = process.flush_timeout();
            serve(args, common, process, Arc::clone(&sink)).await?;
            // Whoever waited for what is not flushed was refused: no acknowledged vote is in it.
            if let Err(error) = tokio::task::spawn_blocking(move || sink.flush(flush_timeout)).await? {
                tracing::warn!(%error, "votes without an answer are given up");
            }
            Ok(())
        }
        SinkKind::Null => {
            check.ok();
            serve(args, common, process, Arc::new(NullSink::default())).await
        }
    }
}

async fn serve<S: Sink>(
    args: ServeArgs,
    common: CommonArgs,
    process: Process,
    sink: Arc<S>,
) -> anyhow::Result<()> {
    let effective = Effective::of_process(&common)
        .with_all("", args.ingest.settings())
        .with_all("kafka.", KafkaSink::settings(args.ingest.deadline()))
        .with("sink", args.kafka.sink);
    effective.log();
    register_config_info(&process.registry, Route::Grpc, VERSION, &effective.hash())?;

    // Each with an admission of its own: what the bridge sends must not refuse native votes.
    let ingest = |route, metrics| {
        Ingest::new(
            route,
            Arc::clone(&sink),
            Arc::new(Admission::new(args.ingest.max_in_flight)),
            metrics,
            args.ingest.deadline(),
        )
    };
    let server = Server {
        native: ingest(
            Route::Grpc,
            CallMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Grpc)?,
        ),
        hop: ingest(
            Route::Bridge,
            CallMetrics::for_hop(&process.registry, &metrics::BUCKETS)?,
        ),
        shutdown: process.shutdown.clone(),
    };

    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(mirror_readiness(process.readiness.clone(), reporter));
    let router = methods_router(Arc::new(server)).merge(standard_services(health)?);
    let listener = listener::bind(args.listen).await?;
    tracing::info!(listen = %args.listen, sink = ?args.kafka.sink, "taking votes");
    listener::serve(listener, router, &process).await
}

/// A path per method: gRPC is HTTP/2 with a path, and the router is the one that REST has.
fn methods_router<S: Sink>(server: Arc<Server<S>>) -> Router {
    let native = Router::new()
        .route("/votes.v1.VoteService/CastVote", post(methods::cast_vote::<S>))
        .route("/votes.v1.VoteService/CastVotes", post(methods::cast_votes::<S>))
        .route(
            "/votes.v1.VoteService/StreamVotes",
            post(methods::stream_votes::<S>),
        )
        .route("/confproto.getInfo/returnInfo", post(methods::return_info::<S>))
        // The same header as on REST: refusals name their route too.
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-ingest-route"),
            HeaderValue::from_static(Route::Grpc.as_str()),
        ));
    native
        .route("/votes.v1.BridgeService/Forward", post(methods::forward::<S>))
        .with_state(server)
}

/// Health, reflection, and UNIMPLEMENTED for everything else.
fn standard_services(health: HealthServer<impl Health>) -> anyhow::Result<Router> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Clients in the field still ask for the older version of reflection.
    let services = Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok(services.into_axum_router())
}

/// Keeps `grpc.health.v1.Health` saying what `/readyz` says, for the server as a whole and for each service.
async fn mirror_readiness(readiness: Readiness, reporter: HealthReporter) {
    let mut last_told = None;
    loop {
        let ready = readiness.is_ready();
        if last_told != Some(ready) {
            let status = if ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            for service in [
                "",
                "votes.v1.VoteService",
                "votes.v1.BridgeService",
                "confproto.getInfo",
            ] {
                reporter.set_service_status(service, status).await;
            }
            last_told = Some(ready);
        }
        tokio::time::sleep(HEALTH_INTERVAL).await;
    }
}
