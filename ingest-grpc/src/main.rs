//! The gRPC route (`serve`), and the bridge: an HTTP API that forwards votes over gRPC (`bridge`).

mod arrival;
mod bridge;
mod codec;
mod edge;
mod forward_sink;
mod health_and_reflection;
mod methods;
mod request_body;
mod request_bytes;
mod retry;
mod serve;
mod services;
mod status;
mod stream;
mod unary;
mod upstream;
mod upstream_token;
mod version;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::{CommonArgs, Identity};

use crate::bridge::BridgeArgs;
use crate::serve::ServeArgs;
use crate::version::VERSION;

#[global_allocator]
static ALLOCATOR: service::RouteAllocator = service::ROUTE_ALLOCATOR;

/// Accepts votes over gRPC and confirms each one after it is durable in Kafka.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// The gRPC route: votes.v1.VoteService and confproto.getInfo of the course, with health and reflection
    ///
    /// Try it:  grpcurl -plaintext -d '{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.5"}'
    ///                  127.0.0.1:50051 votes.v1.VoteService/CastVote
    #[command(verbatim_doc_comment)]
    Serve(ServeArgs),
    /// The bridge: the HTTP API of ingest-rest, which forwards each vote to ingest-grpc over gRPC
    Bridge(BridgeArgs),
}

fn main() -> ExitCode {
    let Cli { command, common } = service::parse_command_line();
    let identity = |name, admin_port| Identity {
        name,
        version: VERSION,
        default_admin: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), admin_port),
    };
    match command {
        Command::Serve(args) => service::run(identity("ingest-grpc", 9102), &common, |process| {
            serve::start(args, common.clone(), process)
        }),
        Command::Bridge(args) => service::run(identity("bridge", 9103), &common, |process| {
            bridge::start(args, common.clone(), process)
        }),
    }
}
