//! `ingest-grpc bridge`: an HTTP API that forwards each vote with a gRPC call: the architecture of the course
//! assignment (README).

use std::net::SocketAddr;
use std::sync::Arc;

use ingest::{Ingest, IngestArgs, RequestMetrics, register_config_info};
use service::listener::{self, ListenerArgs};
use service::{AuthArgs, CommonArgs, CorsArgs, EffectiveConfig, Process, metrics};
use tonic::transport::Uri;
use vote::Route;

use crate::forward_sink::ForwardSink;
use crate::upstream::{self, UpstreamArgs};
use crate::version::VERSION;

/// Options of `ingest-grpc bridge`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BridgeArgs {
    /// Address to accept votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Address of the ingest-grpc that publishes the votes; https for TLS
    #[arg(
        long,
        env = "UPSTREAM",
        hide_env_values = true,
        default_value = "http://127.0.0.1:50051"
    )]
    upstream: Uri,
    #[command(flatten)]
    upstream_connection: UpstreamArgs,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    cors: CorsArgs,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    auth: AuthArgs,
}

/// Runs until the process shuts down.
pub(crate) async fn start(args: BridgeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let effective = EffectiveConfig::of_route(&common, &args.listener)
        .with_all("", args.cors.settings())
        .with_all("", args.ingest.settings())
        .with_all("", args.auth.settings())
        .with_all("", args.upstream_connection.settings())
        .with_all("traces.", process.traces.settings());
    register_config_info(&process.registry, Route::Bridge, VERSION, &effective.hash())?;
    process.announce(effective);

    let upstream_check = process.readiness.register("upstream");
    // Bind before the process can report that it is ready, because clients may then connect at once.
    let tcp_listener = listener::bind(args.listen).await?;
    let channel = upstream::channel(args.upstream.clone(), &args.upstream_connection)?;
    let token = args.upstream_connection.token()?;
    if let Some(token) = &token {
        tokio::spawn(Arc::clone(token).watch(process.shutdown.clone()));
    }
    let sink = Arc::new(ForwardSink::new(channel, token));
    tokio::spawn(Arc::clone(&sink).watch_upstream(upstream_check));
    let ingest = Ingest::new(
        Route::Bridge,
        sink,
        RequestMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Bridge)?,
        args.ingest.limits(&args.ingest.memory_budget()),
    );
    let ingest = ingest
        .with_tracer(process.traces.tracer())
        .with_authenticator(args.auth.open(&process.shutdown)?);
    let ingest = Arc::new(ingest);
    tracing::info!(listen = %args.listen, upstream = secret::redact(&args.upstream.to_string()), "accepting votes");
    let cors = args
        .cors
        .layer(http_api::REQUEST_HEADERS, http_api::RESPONSE_HEADERS);
    let (router, overload_router) = (
        http_api::router(Arc::clone(&ingest), cors.clone()),
        http_api::overload_router(ingest, cors),
    );
    listener::serve(tcp_listener, router, overload_router, args.listener, &process).await
}
