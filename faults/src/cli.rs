//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use lab::progress::Progress;
use lab::signals::unless_interrupted;

use crate::catalog;
use crate::fault::Fault;
use crate::suite::{self, Plan};
use crate::{dedup_memory, document, report, soak};

/// Injects faults into every part of the system under load, and reconciles all counts after each fault.
///
/// Each fault runs on its own stack of real servers and services, on free ports. Clients of the routes `rest`, `grpc` and
/// `bridge` send about 900 votes a second throughout. Most clients choose the vote id and repeat a vote until they have a
/// receipt; the others send a vote once. Each fault starts at a random moment, and the suite checks that it has an effect.
/// The recovery time is the time from the end of the fault until a new vote is acknowledged, logged and counted on each
/// route. After each round, `consumer reconcile` compares the acknowledged votes, by route and by id, with Kafka, Redis
/// and MongoDB.
///
/// Exits with code 1 if a fault had no effect, if a route did not recover, or if a vote was lost or counted twice. The
/// logs of that stack and the ledger of its clients are then kept.
#[derive(Debug, Parser)]
#[command(name = "faults", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    suite: SuiteArgs,
    /// Write the results between the markers of this document, such as docs/reliability.md
    #[arg(long, value_name = "FILE", global = true)]
    write: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run half the highest load for a long time; memory must stay flat and the counts must reconcile
    Soak(soak::SoakArgs),
    /// Measure the memory that Redis needs for the vote ids that clients choose
    DedupMemory(dedup_memory::DedupArgs),
}

#[derive(Debug, Args)]
struct SuiteArgs {
    /// Seed of the random moments (default: random, printed, so that you can repeat a run)
    #[arg(long)]
    seed: Option<u64>,

    /// Rounds of each fault
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Run only these faults, such as `kill-redis,in-flight-limit`; --list prints the names
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Run them on a stack whose connections all have TLS and a login
    #[arg(long)]
    secure: bool,

    /// List the faults with a description of each
    #[arg(long)]
    list: bool,

    /// Seconds that a paused process stays paused
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = parse_seconds)]
    pause_s: Duration,

    /// Maximum seconds of load before a fault
    #[arg(long, default_value = "4", value_name = "SECONDS", value_parser = parse_seconds)]
    load_s: Duration,
}

/// Runs a command. The exit code is 1 if a check failed.
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
    for fault in selected_faults(arguments)? {
        println!("{:<31} {}", fault.name(), fault.description());
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_suite(arguments: &SuiteArgs, write: Option<&std::path::Path>) -> Result<ExitCode> {
    let faults = selected_faults(arguments)?;
    let plan = Plan {
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        rounds: arguments.rounds,
        max_load: arguments.load_s,
        secure: arguments.secure,
    };
    let progress = Progress::new();
    progress.note(&format!("seed {}", plan.seed));
    let results = suite::run(faults, plan, &progress).await;
    let table = report::suite_table(&results).markdown();
    println!("{table}");
    if let Some(path) = write {
        let heading = format!("Seed {}; {}.", plan.seed, document::date_and_machine()?);
        let text = format!("{heading}\n\n{table}\n\n{}", report::descriptions(&results));
        document::write(path, "faults", &text)?;
    }
    let failures: Vec<&String> = results.iter().flat_map(|result| &result.failures).collect();
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

fn selected_faults(arguments: &SuiteArgs) -> Result<Vec<Box<dyn Fault>>> {
    let mut faults = catalog::all(arguments.pause_s);
    let names: Vec<String> = faults.iter().map(|fault| fault.name()).collect();
    if let Some(unknown) = arguments.only.iter().find(|name| !names.contains(name)) {
        bail!("unknown fault {unknown:?}; the faults are {}", names.join(", "));
    }
    faults.retain(|fault| arguments.only.is_empty() || arguments.only.contains(&fault.name()));
    Ok(faults)
}

fn parse_seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().context("not a number")?;
    Duration::try_from_secs_f64(seconds).context("not a valid duration")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_fault_is_rejected_with_the_known_names() {
        let arguments = Cli::try_parse_from(["faults", "--only", "kill-rest,nothing"]).unwrap();
        let error = selected_faults(&arguments.suite).err().unwrap().to_string();
        assert!(
            error.contains("\"nothing\"") && error.contains("kill-kafka"),
            "{error}"
        );
    }
}
