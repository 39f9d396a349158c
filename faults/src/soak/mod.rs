//! A long run at half the highest load: memory must stay flat.

mod memory;
mod plot;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use lab::progress::Progress;
use vote::Route;

use crate::books::Books;
use crate::document;
use crate::load::{Crowd, Load, Manner};
use crate::report::{Table, thousands};
use crate::scene::Scene;
use memory::{Memory, SERVERS};

/// How long the highest rate is looked for.
const CALIBRATION: Duration = Duration::from_secs(10);
/// Clients of each route: most with ids of the service's own, as most clients are.
const CROWD: Crowd = Crowd {
    retrying: 4,
    plain: 28,
    pace: Duration::ZERO,
    manner: Manner::USUAL,
};
/// Growth of a process between the second minute and the last that is still flat, in percent: an allocator's caches move
/// by some percent; a leak of a byte a vote would show as more.
const TOLERANCE: f64 = 10.0;
const PLOT: &str = "soak.svg";

/// Options of `faults soak`.
#[derive(Clone, Copy, Debug, Args)]
pub struct SoakArgs {
    /// How long the load lasts; the first minute is warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..))]
    minutes: u64,
}

/// Runs the soak; exit code 1 if a process grew or if the books differ. A plot is put beside the document.
pub async fn run(options: &SoakArgs, write: Option<&Path>) -> Result<ExitCode> {
    let progress = Progress::new();
    let mut scene = Scene::set(&[]).await?;
    let soaked = soak(options, &scene, &progress).await;
    if !matches!(&soaked, Ok(soaked) if soaked.is_good()) {
        scene.keep_logs();
    }
    tokio::task::spawn_blocking(move || drop(scene))
        .await
        .context("stopping the stack")?;
    let soaked = soaked?;
    println!("{}", soaked.text());
    if let Some(path) = write {
        let plot = format!("![Resident memory of each process over the soak]({PLOT})");
        let text = format!("{}.\n\n{}\n\n{plot}", document::circumstances()?, soaked.text());
        document::write(path, "soak", &text)?;
        std::fs::write(path.with_file_name(PLOT), plot::svg(&soaked.memory)?).context("writing the plot")?;
    }
    Ok(if soaked.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Soaked {
    highest_rate: f64,
    votes: u64,
    lasted: Duration,
    memory: Memory,
    books: Books,
}

async fn soak(options: &SoakArgs, scene: &Scene, progress: &Progress) -> Result<Soaked> {
    let step = progress.step("looking for the highest rate");
    let load = Load::start(CROWD, scene.endpoints(), scene.ledger())?;
    tokio::time::sleep(CALIBRATION).await;
    let highest_rate = scene.ledger().seen_by_all().votes as f64 / CALIBRATION.as_secs_f64();
    load.finish().await?;
    step.done(&format!("{highest_rate:.0} votes/s"));

    let clients = Route::ALL.len() * (CROWD.retrying + CROWD.plain);
    let pace = Duration::from_secs_f64(clients as f64 / (highest_rate / 2.0));
    let before = scene.ledger().seen_by_all();
    let load = Load::start(Crowd { pace, ..CROWD }, scene.endpoints(), scene.ledger())?;
    let started = Instant::now();
    let memory = Memory::watch(scene, Duration::from_mins(options.minutes), progress).await?;
    load.finish().await?;
    let lasted = started.elapsed();
    let step = progress.step("reading the books");
    let soaked = Soaked {
        highest_rate,
        votes: scene.ledger().seen_by_all().since(before).votes,
        lasted,
        memory,
        books: Books::of(scene).await?,
    };
    step.done(if soaked.books.reconciled {
        "equal"
    } else {
        "different"
    });
    Ok(soaked)
}

impl Soaked {
    fn is_good(&self) -> bool {
        self.books.reconciled && SERVERS.into_iter().all(|server| self.is_flat(server))
    }

    fn is_flat(&self, server: lab::servers::Server) -> bool {
        self.memory
            .growth(server)
            .is_some_and(|growth| growth <= TOLERANCE)
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
            let verdict = if self.is_flat(server) { "yes" } else { "no" };
            table.row([
                server.to_string(),
                second,
                last,
                cell(self.memory.growth(server)),
                verdict.to_owned(),
            ]);
        }
        let mut lines = vec![
            format!(
                "{} votes in {:.0} s, {:.0}/s; the highest rate was {:.0}/s in a closed loop. Flat means a growth of \
                 no more than {TOLERANCE} % between the medians of VmRSS.",
                thousands(self.votes),
                self.lasted.as_secs_f64(),
                self.votes as f64 / self.lasted.as_secs_f64(),
                self.highest_rate,
            ),
            table.markdown(),
        ];
        let total = self.books.total();
        lines.push(format!(
            "Lost {}, double {}, in doubt {}.",
            total.lost, total.double, total.in_doubt
        ));
        lines.extend(
            self.books
                .differences
                .iter()
                .map(|difference| difference.sentence.clone()),
        );
        lines.join("\n\n")
    }
}
