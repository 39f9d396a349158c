//! `ingest-grpc serve`: the gRPC route, and the upstream of the bridge.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use fault_injection::{FaultInjectionArgs, InjectedFault, VoteSink};
use http::{HeaderName, HeaderValue};
use ingest::{Ingest, IngestArgs, IngestError, RequestMetrics, Sink, register_config_info};
use kafka::{KafkaArgs, KafkaSink};
use service::listener::{self, ListenerArgs};
use service::{CommonArgs, EffectiveConfig, Process, metrics};
use tokio::sync::Semaphore;
use tower_http::set_header::SetResponseHeaderLayer;
use vote::Route;

use crate::methods::{self, Server};
use crate::stream::{self, MAX_STREAMS};
use crate::version::VERSION;
use crate::{framing, health_and_reflection};

const CAST_VOTE: &str = "/votes.v1.VoteService/CastVote";
const CAST_VOTES: &str = "/votes.v1.VoteService/CastVotes";
const STREAM_VOTES: &str = "/votes.v1.VoteService/StreamVotes";
const RETURN_INFO: &str = "/confproto.getInfo/returnInfo";
const FORWARD: &str = "/votes.v1.BridgeService/Forward";

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
    let effective = EffectiveConfig::of_process(&common, &listener_args)
        .with_all("", args.ingest.settings())
        .with_all(
            "kafka.",
            KafkaSink::settings(&args.kafka.producer, args.ingest.deadline()),
        )
        .with("sink", args.kafka.sink)
        .with("injected_faults", &args.fault_injection);
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
    let memory = args.ingest.memory_budget();
    // Each `Ingest` has its own admission limit, so that forwarded votes cannot use up the permits of native votes.
    let ingest = |route, metrics| Ingest::new(route, Arc::clone(&sink), metrics, args.ingest.limits(&memory));
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

    let router = methods_router(Arc::clone(&server))
        .merge(health_and_reflection::services(process.readiness.clone())?);
    tracing::info!(listen = %args.listen, sink = ?args.kafka.sink, "accepting votes");
    listener::serve(
        tcp_listener,
        router,
        overload_router(server),
        listener_args,
        &process,
    )
    .await?;
    sink.close(process.flush_timeout()).await;
    Ok(())
}

/// One path per gRPC method. gRPC calls are HTTP/2 requests, so they use the same router library as REST.
fn methods_router<S: Sink>(server: Arc<Server<S>>) -> Router {
    let native = Router::new()
        .route(CAST_VOTE, post(methods::cast_vote::<S>))
        .route(CAST_VOTES, post(methods::cast_votes::<S>))
        .route(STREAM_VOTES, post(stream::stream_votes::<S>))
        .route(RETURN_INFO, post(methods::return_info::<S>))
        .layer(route_header_layer());
    native
        .route(FORWARD, post(methods::forward::<S>))
        .with_state(server)
}

/// Rejects every call. The listener uses it while the limit of requests in flight is reached.
fn overload_router<S: Sink>(server: Arc<Server<S>>) -> Router {
    async fn reject<S: Sink>(
        State(server): State<Arc<Server<S>>>,
        request: Request,
    ) -> http::Response<tonic::body::Body> {
        let error = match request.uri().path() {
            CAST_VOTE | CAST_VOTES | STREAM_VOTES | RETURN_INFO => server.native.reject_unread(),
            FORWARD => server.forwarded.reject_unread(),
            _ => IngestError::Overloaded,
        };
        http_api::discard_briefly(&mut request.into_body()).await;
        framing::error_response(&error)
    }
    Router::new()
        .fallback(reject::<S>)
        .layer(route_header_layer())
        .with_state(server)
}

/// Adds the same header as REST to every response, errors included.
fn route_header_layer() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-ingest-route"),
        HeaderValue::from_static(Route::Grpc.as_str()),
    )
}
