//! The demo: votes through all three routes, what each store then holds, and a report of both.

mod books;
mod ledger;
mod plot;
mod report;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use mongodb::bson::DateTime;

use crate::options::StackOptions;
use crate::project;
use crate::signals::unless_interrupted;
use crate::stack::{Claim, Stack};
use crate::state::Settings;
use ledger::Ledger;
use report::{Report, Run};
use traffic::{Locust, Traffic};

/// Options of the traffic.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// How long votes are sent, such as 60s or 5m
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = parse_duration)]
    run_time: Duration,

    /// Concurrent users; each sends its next vote when the answer to the last has come (closed loop)
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,

    /// Seed of the draw between the split path and native gRPC: the same seed gives the same draws
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Votes to send, over and over: a JSON array, JSON lines or CSV [default: locust/votes/bandas_guatemala.json]
    #[arg(long, value_name = "FILE")]
    votes_file: Option<PathBuf>,
}

/// Runs the demo and stops the stack, whatever happens; success only if the books balance.
pub async fn run(stack: &Stack, options: &StackOptions, run: &DemoOptions) -> Result<ExitCode> {
    let settings = options.settings()?;
    let root = project::root()?;
    let votes_file = votes_file(&root, run)?;
    let locust = Locust::find(stack, &root)?;
    if stack.claim().await? == Claim::Running {
        bail!("a stack runs already; `lab down` stops it, and the demo starts one of its own");
    }
    let started_at = timestamp()?;
    let run_name = format!("demo-{}", started_at.replace(['-', ':'], ""));
    let directory = root.join("results").join(&run_name);
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;

    let identity = Run {
        name: run_name,
        started_at,
        votes_file: votes_file.display().to_string(),
        seed: run.seed,
        users: run.users,
    };
    let traffic = locust.traffic(&settings, run, &votes_file, &directory.join("ledger.jsonl"));
    let outcome = unless_interrupted(measure(stack, &settings, &traffic, identity, &directory)).await;
    let stopped = stack.stop().await;
    let logs = directory.join("logs");
    copy_logs(&stack.dir().logs(), &logs)?;
    let report = outcome.with_context(|| format!("no report; the logs are in {}", logs.display()))?;
    stopped?;
    link_latest(&root.join("results"), &report.run)?;
    report.print(&directory);
    Ok(if report.reconciled {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// From the start of the stack to the written report; the stack is left as it is.
async fn measure(
    stack: &Stack,
    settings: &Settings,
    traffic: &Traffic,
    run: Run,
    directory: &Path,
) -> Result<Report> {
    stack.start(settings).await?;
    let duration = traffic.drive(stack).await?;
    let ledger = Ledger::read(traffic.ledger())?;
    let said = books::reconcile(stack, settings, traffic.ledger()).await?;
    let report = Report::new(run, settings.weight, &ledger, &said, duration);
    report.write(directory, &ledger)?;
    Ok(report)
}

fn votes_file(root: &Path, run: &DemoOptions) -> Result<PathBuf> {
    let shipped = || root.join("locust/votes/bandas_guatemala.json");
    let path = run.votes_file.clone().unwrap_or_else(shipped);
    path.canonicalize()
        .with_context(|| format!("votes file {}", path.display()))
}

/// Now, in UTC to the second: `2026-11-24T13:17:15Z`.
pub fn timestamp() -> Result<String> {
    let text = DateTime::now()
        .try_to_rfc3339_string()
        .context("the clock shows no time that can be written")?;
    let seconds = text.split(['.', 'Z']).next().unwrap_or(&text);
    Ok(format!("{seconds}Z"))
}

fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name())).context("copying the logs")?;
    }
    Ok(())
}

fn link_latest(results: &Path, run: &str) -> Result<()> {
    // A link is replaced by renaming a new one over it: there is no moment without one.
    let temporary = results.join(".latest");
    let _ = std::fs::remove_file(&temporary);
    std::os::unix::fs::symlink(run, &temporary)?;
    std::fs::rename(&temporary, results.join("latest")).context("pointing results/latest to this run")
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a time such as 60s or 5m".to_owned())?;
    let seconds = match unit {
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        _ => return Err(format!("unknown unit {unit:?}: s or m")),
    };
    if seconds == 0 {
        Err("must be at least a second".to_owned())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_mins(2)));
        for wrong in ["", "s", "0s", "1h", "-1s", "1.5s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
