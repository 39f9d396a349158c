//! `ingest-grpc bridge`: the HTTP API in front of a gRPC call, as the course builds it.

use std::net::SocketAddr;
use std::sync::Arc;

use ingest::{CallMetrics, Ingest, IngestArgs, register_config_info};
use service::listener::{self, ListenerArgs};
use service::{CommonArgs, EffectiveConfig, Process, metrics};
use tonic::transport::Uri;
use vote::Route;

use crate::VERSION;
use crate::hop::HopSink;

/// Options of `ingest-grpc bridge`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BridgeArgs {
    /// Address to take votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The ingest-grpc that publishes the votes
    #[arg(long, env = "UPSTREAM", default_value = "http://127.0.0.1:50051")]
    upstream: Uri,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    ingest: IngestArgs,
}

/// Runs until the process is told to stop.
pub(crate) async fn start(args: BridgeArgs, common: CommonArgs, process: Process) -> anyhow::Result<()> {
    let effective = EffectiveConfig::of_process(&common, &args.listener).with_all("", args.ingest.settings());
    register_config_info(&process.registry, Route::Bridge, VERSION, &effective.hash())?;
    process.announce(effective);

    let check = process.readiness.register("upstream");
    // Before anything can be ready: who is told that it is ready comes at once.
    let tcp = listener::bind(args.listen).await?;
    let sink = Arc::new(HopSink::new(args.upstream.clone()));
    tokio::spawn(Arc::clone(&sink).watch(check));
    let ingest = Arc::new(Ingest::new(
        Route::Bridge,
        sink,
        CallMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Bridge)?,
        args.ingest.limits(&args.ingest.held_bytes()),
    ));
    tracing::info!(listen = %args.listen, upstream = %args.upstream, "taking votes");
    let (router, overflow) = (http_api::router(Arc::clone(&ingest)), http_api::overflow(ingest));
    listener::serve(tcp, router, overflow, args.listener, &process).await
}
