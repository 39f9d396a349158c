//! `compare prove`: validates the method on questions with a known answer. Each question is repeated in many experiments,
//! without a reconciliation. Two equal variants must show no difference. A variant that is slower by a known delay must be
//! found, and the interval must contain the delay.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use analysis::comparison::{Comparison, DecisionRule};
use analysis::measure::Measure;
use analysis::summary;
use anyhow::{Context, Result, bail};
use ephemeral_stack::{Running, with_stack};
use experiment_model::plan::Plan;
use lab::ports::free_address;
use lab::project;
use load_generator::votes;
use proto::votes::Vote;
use tokio::process::{Child, Command};

use crate::{experiment, plans};

/// Options of `compare prove`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProveArgs {
    /// Runs of each proof
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,

    /// Seed of the first run; each further run adds one
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Also write the tables, in Markdown, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// The delay that the fault `delay-1ms` adds to each vote.
const DELAY_MS: f64 = 1.0;
/// The largest acceptable share of false positives: runs that call one of two equal variants faster.
const MAX_FALSE_POSITIVE_SHARE: f64 = 0.1;
/// The smallest acceptable share of runs with the delay whose interval contains it.
const MIN_COVERAGE: f64 = 0.9;
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// One of the two proofs.
struct Proof {
    name: &'static str,
    true_difference_ms: f64,
    runs: Vec<Comparison>,
}

/// Runs both proofs. Exit code 1 if one of them fails.
pub async fn run(args: &ProveArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let plan = plans::read_named(&root, "prove")?;
    let votes = votes::read_contest(&root)?;
    let proofs = with_stack(
        |_| {},
        async |stack| {
            let equal_service = SecondRestService::start(stack, &[]).await?;
            let equal = prove(
                "two equal variants",
                0.0,
                &plan,
                &equal_service,
                stack,
                &votes,
                args,
            )
            .await?;
            drop(equal_service);
            let slow_service = SecondRestService::start(stack, &["--inject-fault", "delay-1ms"]).await?;
            let delayed = prove(
                "one variant slower by 1 ms",
                DELAY_MS,
                &plan,
                &slow_service,
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

async fn prove(
    name: &'static str,
    true_difference_ms: f64,
    plan: &Plan,
    second_service: &SecondRestService,
    stack: Running<'_>,
    votes: &Arc<[Vote]>,
    args: &ProveArgs,
) -> Result<Proof> {
    let mut runs = Vec::new();
    for run in 0..args.runs {
        let mut plan = plan.clone();
        plan.design.seed = args.seed + run;
        // The plan's variants are equal; only the address of the second one differs.
        let second_variant = plan
            .variants
            .get_mut(1)
            .context("the plan has no second variant")?;
        second_variant.url = Some(second_service.url.clone());
        let measurements = experiment::run(&plan, stack, votes).await?;
        let rule = DecisionRule::with_seed(plan.design.seed);
        let point = measurements
            .points
            .first()
            .context("the run has no measurements")?;
        let point = summary::point(point, rule);
        let measures = point.comparisons.into_iter().flat_map(|pair| pair.measures);
        let median = measures
            .into_iter()
            .find(|comparison| comparison.measure == Measure::P50);
        let median = median.with_context(|| format!("run {} has no median latencies to compare", run + 1))?;
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
    Ok(Proof {
        name,
        true_difference_ms,
        runs,
    })
}

impl Proof {
    /// Number of runs whose verdict is that one variant is faster.
    fn detected(&self) -> usize {
        self.runs.iter().filter(|run| run.differs()).count()
    }

    /// Number of runs whose interval contains the true difference.
    fn covered(&self) -> usize {
        let covers = |run: &&Comparison| {
            run.difference.low <= self.true_difference_ms && self.true_difference_ms <= run.difference.high
        };
        self.runs.iter().filter(covers).count()
    }

    fn holds(&self) -> bool {
        let share = |count: usize| count as f64 / self.runs.len() as f64;
        if self.true_difference_ms == 0.0 {
            share(self.detected()) <= MAX_FALSE_POSITIVE_SHARE
        } else {
            self.detected() == self.runs.len() && share(self.covered()) >= MIN_COVERAGE
        }
    }
}

fn table(proofs: &[Proof]) -> String {
    let mut lines = vec![
        "| proof | runs | runs that call one faster | interval contains the true value | holds |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for proof in proofs {
        lines.push(format!(
            "| {} | {} | {} | {} | {} |",
            proof.name,
            proof.runs.len(),
            proof.detected(),
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

/// A second `ingest-rest` next to the stack's own, on the same Kafka. It is killed when this value is dropped.
struct SecondRestService {
    url: String,
    _process: Child,
}

impl SecondRestService {
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
                tokio::time::sleep(READY_INTERVAL).await;
            }
        };
        if tokio::time::timeout(READY_TIMEOUT, ready).await.is_err() {
            bail!("the second ingest-rest is not ready after {READY_TIMEOUT:?}; check Kafka");
        }
        Ok(Self {
            url: format!("http://{listen}"),
            _process: process,
        })
    }
}
