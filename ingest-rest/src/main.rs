//! The REST route: HTTP in, Kafka out.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use ingest::{Admission, CallMetrics, Ingest, IngestArgs, NullSink, Sink, register_config_info};
use kafka::{KafkaArgs, KafkaSink, SinkKind};
use service::{CommonArgs, Effective, Identity, Process, listener, metrics};
use vote::Route;

const IDENTITY: Identity = Identity {
    name: "ingest-rest",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9101),
};

/// Takes votes as HTTP requests (HTTP/1.1 or h2c, JSON or protobuf) and answers each when it is durable in Kafka.
///
/// Try it:  curl -d '{"name":"Alux Nahual","album":"Centroamérica","year":1984,"rank":9.5}'
///               -H 'content-type: application/json' http://127.0.0.1:8080/v1/votes
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Cli {
    /// Address to take votes on
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let common = cli.common.clone();
    service::run(IDENTITY, &common, |process| start(cli, process))
}

async fn start(cli: Cli, process: Process) -> anyhow::Result<()> {
    let check = process.readiness.register("kafka");
    match cli.kafka.sink {
        SinkKind::Kafka => {
            let sink = Arc::new(KafkaSink::new(
                &cli.kafka.kafka_brokers,
                &cli.kafka.topic,
                cli.ingest.deadline(),
                move |state| check.report(state),
            )?);
            let flush_timeout = process.flush_timeout();
            serve(cli, process, Arc::clone(&sink)).await?;
            // Whoever waited for what is not flushed was refused: no acknowledged vote is in it.
            if let Err(error) = tokio::task::spawn_blocking(move || sink.flush(flush_timeout)).await? {
                tracing::warn!(%error, "votes without an answer are given up");
            }
            Ok(())
        }
        SinkKind::Null => {
            check.ok();
            serve(cli, process, Arc::new(NullSink::default())).await
        }
    }
}

async fn serve<S: Sink>(cli: Cli, process: Process, sink: Arc<S>) -> anyhow::Result<()> {
    let effective = Effective::of_process(&cli.common)
        .with_all("", cli.ingest.settings())
        .with_all("kafka.", KafkaSink::settings(cli.ingest.deadline()))
        .with("sink", cli.kafka.sink);
    effective.log();
    register_config_info(
        &process.registry,
        Route::Rest,
        IDENTITY.version,
        &effective.hash(),
    )?;

    let ingest = Ingest::new(
        Route::Rest,
        sink,
        Arc::new(Admission::new(cli.ingest.max_in_flight)),
        CallMetrics::for_route(&process.registry, &metrics::BUCKETS, Route::Rest)?,
        cli.ingest.deadline(),
    );
    let listener = listener::bind(cli.listen).await?;
    tracing::info!(listen = %cli.listen, sink = ?cli.kafka.sink, "taking votes");
    let router = http_api::router(Arc::new(ingest));
    listener::serve(listener, router, &process).await
}
