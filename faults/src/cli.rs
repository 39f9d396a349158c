//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use lab::progress::Progress;
use lab::signals::unless_interrupted;

use crate::families::{self, Fault};
use crate::suite::{self, Plan};
use crate::{dedup_memory, document, report, soak};

/// Kills, stops and starves every part of the system under load, and reads the books after each fault.
///
/// Each fault runs on a stack of its own: real servers and real processes, on free ports. Clients at the doors of
/// `rest`, `grpc` and `bridge` cast about 900 votes a second throughout. Most choose the id of a vote and repeat it until
/// they have a receipt; the others send a vote once. A fault comes at a random moment, proves that it is there, and ends.
/// Recovery is the time from then until on each route a new vote is acknowledged, logged and counted. After each round
/// `consumer reconcile` compares, by route and by id, what was acknowledged with Kafka, Redis and MongoDB.
///
/// Exit code 1 if a fault did nothing, if a route did not recover, or if a vote was lost or counted twice; the logs of
/// that stack, and the ledger of its clients, are then kept.
#[derive(Debug, Parser)]
#[command(name = "faults", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    suite: SuiteArgs,
    /// Put the figures into this document, between the markers that it has for them, such as docs/reliability.md
    #[arg(long, value_name = "FILE", global = true)]
    write: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run half the highest load for a long time: memory must stay flat, and the books equal
    Soak(soak::SoakArgs),
    /// Measure what it costs Redis to remember the ids that clients choose
    DedupMemory(dedup_memory::DedupArgs),
}

#[derive(Debug, Args)]
struct SuiteArgs {
    /// Where the random moments come from (default: random; printed, so that a run can be repeated)
    #[arg(long)]
    seed: Option<u64>,

    /// Rounds of each fault
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Only these faults, such as `kill-redis,full-queue`; --list has the names
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// List the faults and what each does
    #[arg(long)]
    list: bool,

    /// Seconds that a process stands still where one is stopped
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = parse_seconds)]
    pause_s: Duration,

    /// Seconds of load, at most, before a fault comes
    #[arg(long, default_value = "4", value_name = "SECONDS", value_parser = parse_seconds)]
    load_s: Duration,
}

/// Runs a command; the exit code is its verdict.
pub async fn run(arguments: Cli) -> Result<ExitCode> {
    let write = arguments.write.as_deref();
    match arguments.command {
        None if arguments.suite.list => list(&arguments.suite),
        None => unless_interrupted(run_suite(&arguments.suite, write)).await,
        Some(Command::Soak(options)) => unless_interrupted(soak::run(&options, write)).await,
        Some(Command::DedupMemory(options)) => unless_interrupted(dedup_memory::run(&options, write)).await,
    }
}

fn list(arguments: &SuiteArgs) -> Result<ExitCode> {
    for fault in chosen(arguments)? {
        println!("{:<31} {}", fault.name(), fault.sentence());
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_suite(arguments: &SuiteArgs, write: Option<&std::path::Path>) -> Result<ExitCode> {
    let faults = chosen(arguments)?;
    let plan = Plan {
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        rounds: arguments.rounds,
        load: arguments.load_s,
    };
    let progress = Progress::new();
    progress.note(&format!("seed {}", plan.seed));
    let rows = suite::run(faults, plan, &progress).await;
    let table = report::suite(&rows).markdown();
    println!("{table}");
    if let Some(path) = write {
        let heading = format!("Seed {}; {}.", plan.seed, document::circumstances()?);
        let text = format!("{heading}\n\n{table}\n\n{}", report::sentences(&rows));
        document::write(path, "faults", &text)?;
    }
    let failures: Vec<&String> = rows.iter().flat_map(|row| &row.failures).collect();
    for failure in &failures {
        println!("{failure}");
    }
    if !failures.is_empty() {
        println!("{} rounds failed; seed {}", failures.len(), plan.seed);
        return Ok(ExitCode::FAILURE);
    }
    println!("Every acknowledged vote was counted once and logged once.");
    Ok(ExitCode::SUCCESS)
}

fn chosen(arguments: &SuiteArgs) -> Result<Vec<Box<dyn Fault>>> {
    let mut faults = families::all(arguments.pause_s);
    let names: Vec<String> = faults.iter().map(|fault| fault.name()).collect();
    if let Some(unknown) = arguments.only.iter().find(|name| !names.contains(name)) {
        bail!("there is no fault {unknown:?}; there are {}", names.join(", "));
    }
    faults.retain(|fault| arguments.only.is_empty() || arguments.only.contains(&fault.name()));
    Ok(faults)
}

fn parse_seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().context("not a number")?;
    Duration::try_from_secs_f64(seconds).context("not a time")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_are_known() {
        let arguments = Cli::try_parse_from(["faults", "--only", "kill-rest,nothing"]).unwrap();
        let refusal = chosen(&arguments.suite).err().unwrap().to_string();
        assert!(
            refusal.contains("\"nothing\"") && refusal.contains("kill-kafka"),
            "{refusal}"
        );
    }
}
