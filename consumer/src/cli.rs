//! The command line of the `consumer` program.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service::{CommonArgs, Identity};

use crate::args::RunArgs;
use crate::migrate_log::{MigrateLogArgs, migrate_log};
use crate::prepare::{PrepareArgs, prepare};
use crate::rebuild::{RebuildArgs, rebuild};
use crate::reconcile::{ReconcileArgs, reconcile};
use crate::replay::{ReplayArgs, replay};
use crate::run::run;

/// Counts votes from Kafka in Redis and logs them in MongoDB, each vote once.
///
/// Each batch is first logged in MongoDB (idempotent by vote id), then counted in Redis by one atomic script that also moves
/// the partition's applied offset. After a restart, each partition resumes from its applied offset.
#[derive(Debug, Parser)]
#[command(name = "consumer", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Consume until SIGTERM, then finish the batches in flight, leave the group and exit with code 0
    ///
    /// Start as many consumers as you like, up to the number of partitions: they share the partitions. If a store is not
    /// available, the consumer waits for it and loses no vote. Meanwhile /readyz on the admin port names the store and the
    /// reason, and consumer_lag_records grows.
    Run {
        #[command(flatten)]
        common: CommonArgs,

        #[command(flatten)]
        args: RunArgs,
    },

    /// Compare the votes in Kafka, Redis and MongoDB, per route and vote by vote
    ///
    /// Waits until all votes in Kafka are counted, then compares all three stores up to the applied offsets. The result is
    /// therefore exact even while votes arrive. With --ledger, also compares the votes that senders report as
    /// acknowledged. Exit code 0: the stores agree. 1: they differ, and the output describes each difference. 2: unknown,
    /// because a store is not available or some votes are not counted yet.
    Reconcile(ReconcileArgs),

    /// Recompute the tallies in Redis and correct them; consumers may keep running
    ///
    /// Counts the votes up to the applied offsets and adds the difference to the tallies in one atomic step. You need not
    /// stop the consumers: votes that they count in the meantime are kept. Use --from kafka as long as Kafka holds every
    /// vote, otherwise --from mongodb. Try it with --dry-run first, and run `consumer reconcile` afterwards.
    Rebuild(RebuildArgs),

    /// Send dead-letter records that can now be decoded back to their topic
    ///
    /// Use it after you fix a decoding problem. The command skips records that still cannot be decoded, and prints the
    /// reason. It also skips votes that are already logged. You may run it twice: a replayed vote is counted once.
    ReplayDeadLetters(ReplayArgs),

    /// Change the layout of a log that an earlier version wrote; stop all consumers first
    ///
    /// Consumers of this version wait until the log has its present layout. The command copies the documents, then
    /// replaces the log by the copy in one step. It needs space for the copy. Votes wait in Kafka meanwhile. You may interrupt
    /// the command and run it again: it continues. If there is nothing to migrate, it changes nothing.
    MigrateLog(MigrateLogArgs),

    /// Create the topics and initiate MongoDB's replica set if they are missing
    ///
    /// For a new cluster. Waits for the stores and changes nothing that exists, so you may run it again. A topic with fewer
    /// partitions than requested is an error: adding partitions would move keys to other partitions.
    Prepare(PrepareArgs),
}

const IDENTITY: Identity = Identity {
    name: "consumer",
    version: env!("CARGO_PKG_VERSION"),
    default_admin: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9104),
};

/// Parses the command line and runs the command to its end.
pub fn main() -> ExitCode {
    match service::parse_command_line::<Cli>().command {
        Command::Run { common, args } => service::run(IDENTITY, &common, |process| run(args, process)),
        Command::Reconcile(args) => block_on(reconcile(args)),
        Command::Rebuild(args) => block_on(rebuild(args)),
        Command::ReplayDeadLetters(args) => block_on(replay(args)),
        Command::MigrateLog(args) => block_on(migrate_log(args)),
        Command::Prepare(args) => block_on(prepare(args)),
    }
}

/// Runs a command to its end, without the admin port and the drain of a service.
fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("could not start the async runtime: {error}");
            ExitCode::from(2)
        }
    }
}
