//! `ingest-grpc serve`: the gRPC route, and the inner half of the bridge.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use http::{HeaderName, HeaderValue};
use ingest::{CallMetrics, Confound, ConfoundArgs, Ingest, IngestArgs, Refusal, Sink, register_config_info};
use kafka::{KafkaArgs, KafkaSink, VoteSink};
use service::listener::{self, ListenerArgs};
use service::{CommonArgs, EffectiveConfig, Process, metrics};
use tokio::sync::Semaphore;
use tower_http::set_header::SetResponseHeaderLayer;
use vote::Route;

use crate::methods::{self, Server};
use crate::stream::{self, MAX_STREAMS};
use crate::{VERSION, frame, standard};

const CAST_VOTE: &str = "/votes.v1.VoteService/CastVote";
const CAST_VOTES: &str = "/votes.v1.VoteService/CastVotes";
const STREAM_VOTES: &str = "/votes.v1.VoteService/StreamVotes";
const RETURN_INFO: &str = "/confproto.getInfo/returnInfo";
const FORWARD: &str = "/votes.v1.BridgeService/Forward";

/// Options of `ingest-grpc serve`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address to take votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    confounds: ConfoundArgs,
}

/// Runs until the process is told to stop.
pub(crate) async fn start(args: ServeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let listener = args
        .listener
        .clone()
        .with_nagle(args.confounds.has(Confound::Nagle));
    let effective = EffectiveConfig::of_process(&common, &listener)
        .with_all("", args.ingest.settings())
        .with_all(
            "kafka.",
            KafkaSink::settings(&args.kafka.producer, args.ingest.deadline()),
        )
        .with("sink", args.kafka.sink)
        .with("confounds", &args.confounds);
    register_config_info(&process.registry, Route::Grpc, VERSION, &effective.hash())?;
    process.announce(effective);

    let (check, failing) = (process.readiness.register("kafka"), process.clone());
    // Before anything can be ready: who is told that it is ready comes at once.
    let tcp = listener::bind(args.listen).await?;
    let sink = VoteSink::open(
        &args.kafka,
        &args.confounds,
        args.ingest.deadline(),
        move |state| check.report(state),
        move |reason| failing.fail(reason),
    )?;
    let held = args.ingest.held_bytes();
    // Each with an admission of its own: what the bridge sends must not refuse native votes.
    let ingest = |route, metrics| Ingest::new(route, Arc::clone(&sink), metrics, args.ingest.limits(&held));
    let server = Arc::new(Server {
        native: ingest(
            Route::Grpc,
            CallMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Grpc)?,
        ),
        hop: ingest(
            Route::Bridge,
            CallMetrics::for_hop(&process.registry, &metrics::BUCKETS)?,
        ),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        idle_timeout: listener.idle_timeout(),
        shutdown: process.shutdown.clone(),
    });

    let router = methods_router(Arc::clone(&server)).merge(standard::services(process.readiness.clone())?);
    tracing::info!(listen = %args.listen, sink = ?args.kafka.sink, "taking votes");
    listener::serve(tcp, router, overflow_router(server), listener, &process).await?;
    sink.close(process.flush_timeout()).await;
    Ok(())
}

/// A path per method: gRPC is HTTP/2 with a path, and the router is the one that REST has.
fn methods_router<S: Sink>(server: Arc<Server<S>>) -> Router {
    let native = Router::new()
        .route(CAST_VOTE, post(methods::cast_vote::<S>))
        .route(CAST_VOTES, post(methods::cast_votes::<S>))
        .route(STREAM_VOTES, post(stream::stream_votes::<S>))
        .route(RETURN_INFO, post(methods::return_info::<S>))
        .layer(names_route());
    native
        .route(FORWARD, post(methods::forward::<S>))
        .with_state(server)
}

/// Refuses every call: what answers when there is no room for another.
fn overflow_router<S: Sink>(server: Arc<Server<S>>) -> Router {
    async fn refuse<S: Sink>(
        State(server): State<Arc<Server<S>>>,
        request: Request,
    ) -> http::Response<tonic::body::Body> {
        let refusal = match request.uri().path() {
            CAST_VOTE | CAST_VOTES | STREAM_VOTES | RETURN_INFO => server.native.refuse_unread(),
            FORWARD => server.hop.refuse_unread(),
            _ => Refusal::Overloaded,
        };
        http_api::discard_briefly(&mut request.into_body()).await;
        frame::refuse(&refusal)
    }
    Router::new()
        .fallback(refuse::<S>)
        .layer(names_route())
        .with_state(server)
}

/// The same header as on REST: refusals name their route too.
fn names_route() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-ingest-route"),
        HeaderValue::from_static(Route::Grpc.as_str()),
    )
}
