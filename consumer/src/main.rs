//! The `consumer` binary.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use consumer::args::RunArgs;
use service::{CommonArgs, Identity};

/// Counts votes from Kafka in Redis and logs them in MongoDB, each vote once.
///
/// The order of work makes that so: a batch is first logged (idempotent by vote id), then counted by one atomic script
/// that also moves the partition's fence in Redis. On start, each partition goes on at its fence.
#[derive(Debug, Parser)]
#[command(name = "consumer", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Consume until SIGTERM, which finishes what is in flight, leaves the group and exits 0
    ///
    /// Start as many as you like, up to the number of partitions: they share the work. Stores that are away are waited
    /// for; meanwhile nothing is lost, /readyz on the admin port names the store and the reason, and
    /// consumer_lag_records grows.
    Run(RunArgs),
}

const IDENTITY: Identity = Identity {
    name: "consumer",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9104),
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Run(args) => service::run(IDENTITY, &cli.common, |process| consumer::run(args, process)),
    }
}
