//! The reference service of the benchmark. It is built like the services in published comparisons of REST and gRPC, with
//! one correction: it responds after Kafka has acknowledged the vote. It uses framework defaults and has no validation,
//! metrics or drain. `compare` uses it as the stock service.

mod grpc;
mod publisher;
mod rest;
mod votes;

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

use crate::publisher::Publisher;

/// Command line of the naive service.
#[derive(Parser)]
struct Args {
    /// Serve only this protocol.
    #[arg(long, env)]
    only: Option<Protocol>,
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
    /// Setting of the Kafka client library as NAME=VALUE, instead of the service's own; repeatable.
    #[arg(long = "producer-setting", value_parser = parse_setting)]
    producer_settings: Vec<(String, String)>,
    /// Runtime threads; the benchmark gives the other services the same number.
    #[arg(long, env, default_value_t = 2)]
    worker_threads: usize,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Protocol {
    Rest,
    Grpc,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.worker_threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let publisher = Publisher::new(&args.kafka_brokers, &args.topic, &args.producer_settings)?;
        let rest = rest::serve(args.rest_listen, publisher.clone());
        let grpc = grpc::serve(args.grpc_listen, publisher);
        match args.only {
            Some(Protocol::Rest) => rest.await,
            Some(Protocol::Grpc) => grpc.await,
            None => tokio::try_join!(rest, grpc).map(|_| ()),
        }
    })
}
