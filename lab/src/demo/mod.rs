//! The demo: sends votes through all three routes, reconciles them with every store, and writes a report.

mod latency_plot;
mod ledger;
mod options;
mod reconciliation;
mod report;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mongodb::bson::DateTime;

use crate::options::StackOptions;
use crate::project;
use crate::signals::unless_interrupted;
use crate::stack::{AcquireOutcome, Stack};
use crate::state::Settings;
use ledger::Ledger;
use reconciliation::ReconcileOutput;
use report::{Report, Run};
use traffic::{Locust, Traffic};

pub use options::DemoOptions;

/// Runs the demo and stops the stack, also after an error. Returns success only if the counts reconcile.
pub async fn run(stack: &Stack, options: &StackOptions, run: &DemoOptions) -> Result<ExitCode> {
    let settings = options.settings()?;
    let root = project::root()?;
    let votes_file = votes_file(&root, run)?;
    let locust = Locust::find(stack, &root)?;
    if stack.acquire().await? == AcquireOutcome::AlreadyRunning {
        bail!(
            "a stack is already running, and the demo starts a new one: stop the running stack with `lab down`"
        );
    }
    let started_at = timestamp()?;
    let run_name = format!("demo-{}", started_at.replace(['-', ':'], ""));
    let directory = root.join("results").join(&run_name);
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;

    let parameters = Run {
        name: run_name,
        started_at,
        votes_file: project::shown_path(&root.canonicalize()?, &votes_file),
        seed: run.seed,
        users: run.users,
    };
    let traffic = locust.traffic(
        &stack.access(&settings),
        run,
        &votes_file,
        &directory.join("ledger.jsonl"),
    );
    let outcome = unless_interrupted(measure(stack, &settings, &traffic, parameters, &directory)).await;
    let stopped = stack.stop().await;
    let logs = directory.join("logs");
    copy_logs(&stack.dir().logs(), &logs)?;
    let report =
        outcome.with_context(|| format!("the demo wrote no report; the logs are in {}", logs.display()))?;
    stopped?;
    link_latest(&root.join("results"), &report.run)?;
    report.print(&directory);
    Ok(if report.reconciled {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts the stack, sends the votes, reconciles them and writes the report. Does not stop the stack.
async fn measure(
    stack: &Stack,
    settings: &Settings,
    traffic: &Traffic,
    run: Run,
    directory: &Path,
) -> Result<Report> {
    stack.start(settings).await?;
    let duration = traffic.send(stack).await?;
    let ledger = Ledger::read(traffic.ledger())?;
    let output = ReconcileOutput::collect(stack, settings, traffic.ledger()).await?;
    let report = Report::new(run, settings.weight, &ledger, &output, duration);
    report.write(directory, &ledger)?;
    Ok(report)
}

fn votes_file(root: &Path, run: &DemoOptions) -> Result<PathBuf> {
    let default = || root.join("locust/votes/bandas_guatemala.json");
    let path = run.votes_file.clone().unwrap_or_else(default);
    path.canonicalize()
        .with_context(|| format!("opening the votes file {}", path.display()))
}

/// The current time in UTC with a resolution of one second: `2026-11-24T13:17:15Z`.
pub fn timestamp() -> Result<String> {
    let text = DateTime::now()
        .try_to_rfc3339_string()
        .context("the system clock shows a time that RFC 3339 cannot express: correct the clock")?;
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
    // The rename replaces the link atomically, so that the link always exists.
    let temporary = results.join(".latest");
    let _ = std::fs::remove_file(&temporary);
    std::os::unix::fs::symlink(run, &temporary)?;
    std::fs::rename(&temporary, results.join("latest")).context("linking results/latest to this run")
}
