//! The `consumer` binary.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use consumer::args::RunArgs;
use consumer::prepare::{PrepareArgs, prepare};
use consumer::rebuild::{RebuildArgs, rebuild};
use consumer::reconcile::{ReconcileArgs, reconcile};
use consumer::replay::{ReplayArgs, replay};
use service::{CommonArgs, Identity};

/// Counts votes from Kafka in Redis and logs them in MongoDB, each vote once.
///
/// The order of work makes that so: a batch is first logged (idempotent by vote id), then counted by one atomic script
/// that also moves the partition's fence in Redis. On start, each partition goes on at its fence.
#[derive(Debug, Parser)]
#[command(name = "consumer", version, arg_required_else_help = true)]
struct Cli {
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
    Run {
        #[command(flatten)]
        common: CommonArgs,

        #[command(flatten)]
        args: RunArgs,
    },

    /// Compare what Kafka, Redis and MongoDB hold, per route and vote by vote
    ///
    /// Waits until what is in Kafka is counted, then reads all three at one place, so it is exact while votes keep
    /// coming. With --ledger, also what senders say was acknowledged. Exit code 0: all agree; 1: they differ, and each
    /// difference is a sentence; 2: nobody can tell, because a store is away or not everything is counted.
    Reconcile(ReconcileArgs),

    /// Work the tallies in Redis out again and correct them; consumers may run
    ///
    /// Counts the votes up to the place that Redis has counted to, and adds the difference in one atomic step, so
    /// consumers need not be stopped and nothing that they count meanwhile is lost. From Kafka as long as it holds every
    /// vote; else from MongoDB, which does. Try it with --dry-run; `consumer reconcile` afterwards.
    Rebuild(RebuildArgs),

    /// Send the dead letters that can be read by now back to their topic
    ///
    /// For after a fix. Letters that nobody can read are left where they are and named; votes that are logged already
    /// are skipped. Running it twice is harmless: a vote that was sent again is counted once.
    ReplayDeadLetters(ReplayArgs),

    /// Make the topics and initiate MongoDB's replica set, where they are missing
    ///
    /// For a new cluster. Waits for the stores; what is there stays as it is, so that running it again is harmless. A
    /// topic with fewer partitions than asked for is an error: adding some would move keys to other partitions.
    Prepare(PrepareArgs),
}

const IDENTITY: Identity = Identity {
    name: "consumer",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9104),
};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { common, args } => {
            service::run(IDENTITY, &common, |process| consumer::run(args, process))
        }
        Command::Reconcile(args) => once(reconcile(args)),
        Command::Rebuild(args) => once(rebuild(args)),
        Command::ReplayDeadLetters(args) => once(replay(args)),
        Command::Prepare(args) => once(prepare(args)),
    }
}

/// Runs a command that ends by itself, without the surroundings of a service.
fn once(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("cannot start the async runtime: {error}");
            ExitCode::from(2)
        }
    }
}
