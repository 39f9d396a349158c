//! A soak test: a long run at half the highest load. Memory must stay flat.

mod memory;
mod plot;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use lab::progress::Progress;
use vote::Route;

use crate::document;
use crate::environment::TestEnvironment;
use crate::load::{ClientMix, Load, RetryPolicy};
use crate::reconciliation::Reconciliation;
use crate::report::{Table, thousands};
use memory::{Memory, SERVERS};

/// Duration of the measurement of the highest rate.
const CALIBRATION: Duration = Duration::from_secs(10);
/// Clients of each route. As with real clients, most leave the vote id to the service.
const CLIENTS: ClientMix = ClientMix {
    retrying: 4,
    single_attempt: 28,
    interval: Duration::ZERO,
    retry_policy: RetryPolicy::DEFAULT,
};
/// Growth from the second to the last minute that still counts as flat, in percent. The caches of an allocator vary by a few
/// percent; a leak of one byte per vote grows by more.
const MAX_GROWTH: f64 = 10.0;
const PLOT: &str = "soak.svg";

/// Options of `faults soak`.
#[derive(Clone, Copy, Debug, Args)]
pub struct SoakArgs {
    /// Duration of the load in minutes; the first minute is the warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..))]
    minutes: u64,
}

/// Runs the soak test. The exit code is 1 if a process grew or if the counts do not reconcile. With `write`, saves a plot
/// next to the document.
pub async fn run(options: &SoakArgs, write: Option<&Path>) -> Result<ExitCode> {
    let progress = Progress::new();
    let mut environment = TestEnvironment::start(&[]).await?;
    let outcome = soak(options, &environment, &progress).await;
    if !matches!(&outcome, Ok(outcome) if outcome.passed()) {
        environment.keep_logs();
    }
    tokio::task::spawn_blocking(move || drop(environment))
        .await
        .context("stopping the stack")?;
    let outcome = outcome?;
    println!("{}", outcome.text());
    if let Some(path) = write {
        let plot = format!("![Resident memory of each process over the soak]({PLOT})");
        let text = format!(
            "{}.\n\n{}\n\n{plot}",
            document::date_and_machine()?,
            outcome.text()
        );
        document::write(path, "soak", &text)?;
        std::fs::write(path.with_file_name(PLOT), plot::svg(&outcome.memory)?).context("writing the plot")?;
    }
    Ok(if outcome.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct SoakResult {
    highest_rate: f64,
    votes: u64,
    duration: Duration,
    memory: Memory,
    reconciliation: Reconciliation,
}

async fn soak(options: &SoakArgs, environment: &TestEnvironment, progress: &Progress) -> Result<SoakResult> {
    let step = progress.step("measuring the highest rate");
    let load = Load::start(CLIENTS, environment.access(), environment.ledger())?;
    tokio::time::sleep(CALIBRATION).await;
    let highest_rate = environment.ledger().total_counts().votes as f64 / CALIBRATION.as_secs_f64();
    load.finish().await?;
    step.done(&format!("{highest_rate:.0} votes/s"));

    let clients = Route::ALL.len() * (CLIENTS.retrying + CLIENTS.single_attempt);
    let interval = Duration::from_secs_f64(clients as f64 / (highest_rate / 2.0));
    let before = environment.ledger().total_counts();
    let load = Load::start(
        ClientMix { interval, ..CLIENTS },
        environment.access(),
        environment.ledger(),
    )?;
    let started = Instant::now();
    let memory = Memory::measure(environment, Duration::from_mins(options.minutes), progress).await?;
    load.finish().await?;
    let duration = started.elapsed();
    let step = progress.step("reconciling the counts");
    let outcome = SoakResult {
        highest_rate,
        votes: environment.ledger().total_counts().since(before).votes,
        duration,
        memory,
        reconciliation: Reconciliation::run(environment).await?,
    };
    step.done(if outcome.reconciliation.reconciled {
        "the counts reconcile"
    } else {
        "the counts do not reconcile"
    });
    Ok(outcome)
}

impl SoakResult {
    fn passed(&self) -> bool {
        self.reconciliation.reconciled && SERVERS.into_iter().all(|server| self.is_flat(server))
    }

    fn is_flat(&self, server: lab::servers::Server) -> bool {
        self.memory
            .growth(server)
            .is_some_and(|growth| growth <= MAX_GROWTH)
    }

    fn text(&self) -> String {
        let mut table = Table::new(&[
            "process",
            "second minute, MiB",
            "last minute, MiB",
            "growth, %",
            "flat",
        ]);
        for server in SERVERS {
            let cell =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
            let [second, last] = self.memory.medians(server).map(cell);
            let flat = if self.is_flat(server) { "yes" } else { "no" };
            table.row([
                server.to_string(),
                second,
                last,
                cell(self.memory.growth(server)),
                flat.to_owned(),
            ]);
        }
        let mut lines = vec![
            format!(
                "{} votes in {:.0} s, {:.0}/s; the highest rate was {:.0}/s in a closed loop. Flat means that the \
                 median of VmRSS grows by at most {MAX_GROWTH} %.",
                thousands(self.votes),
                self.duration.as_secs_f64(),
                self.votes as f64 / self.duration.as_secs_f64(),
                self.highest_rate,
            ),
            table.markdown(),
        ];
        let total = self.reconciliation.total();
        lines.push(format!(
            "Lost {}, double {}, in doubt {}.",
            total.lost, total.double, total.in_doubt
        ));
        lines.extend(
            self.reconciliation
                .differences
                .iter()
                .map(|difference| difference.sentence.clone()),
        );
        lines.join("\n\n")
    }
}
