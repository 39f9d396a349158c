//! The proof of the method: many runs whose answer is known beforehand. Two arms that are the same must not be told
//! apart; an arm that is slower by a known time must be found, and by how much.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::ports::free_address;
use lab::project;
use proto::votes::Vote;
use tokio::process::{Child, Command};

use crate::judge::{Comparison, Measure, Rules};
use crate::plan::Plan;
use crate::report::summary;
use crate::stats::verdict::Verdict;
use crate::{experiment, votes};
use ephemeral_stack::{Running, with_stack};

/// Options of `compare prove`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProveArgs {
    /// Runs of each proof
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,

    /// The first run's seed; each further run adds one
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Also write the table, in Markdown, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// What the fault `delay-1ms` adds to each vote.
const DELAY_MS: f64 = 1.0;
/// Of the runs with two equal arms, so many may call one faster ...
const FALSE_SHARE: f64 = 0.1;
/// ... and in so many of those with the delay the true value must lie within the interval.
const COVERED_SHARE: f64 = 0.9;
const READY_LIMIT: Duration = Duration::from_secs(30);
const READY_PAUSE: Duration = Duration::from_millis(50);

/// One of the two proofs.
struct Proof {
    name: &'static str,
    true_ms: f64,
    runs: Vec<Comparison>,
}

/// Runs both proofs. Exit code 1 if one of them fails.
pub async fn run(args: &ProveArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let plan = Plan::read(&root.join("compare/plans/prove.toml"))?;
    let votes = votes::of_the_contest(&root)?;
    let proofs = with_stack(
        |_| {},
        async |stack| {
            let same = Twin::start(stack, &[]).await?;
            let equal = proof("two that are the same", 0.0, &plan, &same, stack, &votes, args).await?;
            drop(same);
            let slower = Twin::start(stack, &["--inject-fault", "delay-1ms"]).await?;
            let delayed = proof(
                "one slower by 1 ms",
                DELAY_MS,
                &plan,
                &slower,
                stack,
                &votes,
                args,
            )
            .await?;
            Ok([equal, delayed])
        },
    )
    .await?;
    let table = table(&proofs);
    println!("\n{table}");
    if let Some(path) = &args.write {
        std::fs::write(path, &table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if proofs.iter().all(Proof::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn proof(
    name: &'static str,
    true_ms: f64,
    plan: &Plan,
    twin: &Twin,
    stack: Running<'_>,
    votes: &Arc<[Vote]>,
    args: &ProveArgs,
) -> Result<Proof> {
    let mut runs = Vec::new();
    for run in 0..args.runs {
        let mut plan = plan.clone();
        plan.design.seed = args.seed + run;
        // The plan's second arm is the first once more: what makes it a twin is its address.
        plan.arms.get_mut(1).context("the plan has no twin")?.url = Some(twin.url.clone());
        let sent = experiment::run(&plan, stack, votes).await?;
        let rules = Rules::usual(plan.design.seed);
        let point = summary::point(sent.points.first().context("no point")?, rules);
        let measures = point.comparisons.into_iter().flat_map(|pair| pair.measures);
        let median = measures
            .into_iter()
            .find(|comparison| comparison.measure == Measure::P50);
        let median = median.with_context(|| format!("run {run} has no medians to compare"))?;
        println!(
            "{name}, run {}: {:+.3} [{:+.3}, {:+.3}] ms, {:?}",
            run + 1,
            median.difference.estimate,
            median.difference.low,
            median.difference.high,
            median.verdict
        );
        runs.push(median);
    }
    Ok(Proof { name, true_ms, runs })
}

impl Proof {
    /// Runs that called one arm faster.
    fn found(&self) -> usize {
        let faster = |run: &&Comparison| matches!(run.verdict, Verdict::ABetter | Verdict::BBetter);
        self.runs.iter().filter(faster).count()
    }

    /// Runs whose interval holds the true value.
    fn covered(&self) -> usize {
        let covers =
            |run: &&Comparison| run.difference.low <= self.true_ms && self.true_ms <= run.difference.high;
        self.runs.iter().filter(covers).count()
    }

    fn holds(&self) -> bool {
        let share = |count: usize| count as f64 / self.runs.len() as f64;
        if self.true_ms == 0.0 {
            share(self.found()) <= FALSE_SHARE
        } else {
            self.found() == self.runs.len() && share(self.covered()) >= COVERED_SHARE
        }
    }
}

fn table(proofs: &[Proof]) -> String {
    let mut lines = vec![
        "| proof | runs | called one faster | true value within the interval | holds |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for proof in proofs {
        lines.push(format!(
            "| {} | {} | {} | {} | {} |",
            proof.name,
            proof.runs.len(),
            proof.found(),
            proof.covered(),
            if proof.holds() { "yes" } else { "**no**" }
        ));
    }
    lines.extend([
        String::new(),
        "| proof | run | difference of medians (ms) | interval |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ]);
    for proof in proofs {
        for (number, run) in proof.runs.iter().enumerate() {
            let interval = run.difference;
            lines.push(format!(
                "| {} | {} | {:+.3} | [{:+.3}, {:+.3}] |",
                proof.name,
                number + 1,
                interval.estimate,
                interval.low,
                interval.high
            ));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A second `ingest-rest` beside the stack's own, on the same Kafka. Dropped, it is killed.
struct Twin {
    url: String,
    _process: Child,
}

impl Twin {
    async fn start(stack: Running<'_>, args: &[&str]) -> Result<Self> {
        let [listen, admin] = [free_address()?, free_address()?].map(|address| address.to_string());
        let process = Command::new(project::programs()?.join("ingest-rest"))
            .args(["--listen", &listen, "--admin-addr", &admin])
            .args(["--kafka-brokers", &stack.endpoints.kafka])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting a second ingest-rest")?;
        let ready = async {
            let url = format!("http://{admin}/readyz");
            while !reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                tokio::time::sleep(READY_PAUSE).await;
            }
        };
        if tokio::time::timeout(READY_LIMIT, ready).await.is_err() {
            bail!("the second ingest-rest is not ready after {READY_LIMIT:?}");
        }
        Ok(Self {
            url: format!("http://{listen}"),
            _process: process,
        })
    }
}
