//! The reference service of the benchmark. It is built like the services in published comparisons of REST and gRPC, with
//! one correction: it responds after Kafka has acknowledged the vote. It uses framework defaults and has no validation,
//! metrics or drain.

mod grpc;
mod publisher;
mod rest;

use std::net::SocketAddr;

use clap::Parser;

use crate::publisher::Publisher;

/// Command line of the naive service.
#[derive(Parser)]
struct Args {
    /// Address of the axum service.
    #[arg(long, env, default_value = "127.0.0.1:8070")]
    rest_listen: SocketAddr,
    /// Address of the tonic service.
    #[arg(long, env, default_value = "127.0.0.1:50071")]
    grpc_listen: SocketAddr,
    /// Kafka bootstrap servers, host:port, comma separated.
    #[arg(long, env, default_value = "127.0.0.1:9092")]
    kafka_brokers: String,
    /// Topic of the votes.
    #[arg(long, env, default_value = "votes")]
    topic: String,
    /// Runtime threads; the benchmark gives the other services the same number.
    #[arg(long, env, default_value_t = 2)]
    worker_threads: usize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.worker_threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let publisher = Publisher::new(&args.kafka_brokers, &args.topic)?;
        tokio::try_join!(
            rest::serve(args.rest_listen, publisher.clone()),
            grpc::serve(args.grpc_listen, publisher)
        )?;
        Ok(())
    })
}
