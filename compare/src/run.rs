//! `compare run`: a stack of its own, the experiment, the books, the report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use lab::project;
use proto::votes::Vote;

use crate::changes::changes;
use crate::judge::{Margin, Rules};
use crate::own_stack::{Running, with_stack};
use crate::plan::Plan;
use crate::refusals::refusals;
use crate::report::model::{Driver, FORMAT, PointReport, Report};
use crate::report::{summary, text};
use crate::{machine, trial, votes};

/// Options of `compare run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The plan: a file, or the name of one in compare/plans
    #[arg(default_value = "quick")]
    plan: String,

    /// Draw order and send times from this number instead of the plan's
    #[arg(long)]
    seed: Option<u64>,

    /// Directory for the report and the ledger, in a folder of this run [default: results in the project's root]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Share of intervals that hold the true value
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    confidence: f64,

    /// A difference matters from this share of the first arm's value on
    #[arg(long, default_value_t = 0.05, value_parser = parse_share)]
    margin: f64,

    /// And, for latencies, from so many milliseconds on
    #[arg(long, default_value_t = 0.1, value_name = "MS")]
    margin_floor_ms: f64,
}

/// Runs the plan and prints the report. Exit code 0 if there is a verdict and the books are equal.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let mut plan = Plan::read(&plan_path(&root, &args.plan))?;
    if let Some(seed) = args.seed {
        plan.design.seed = seed;
    }
    let votes = votes::of_the_contest(&root)?;
    let (report, results) = with_stack(
        |_| {},
        async |stack| measure(stack, plan, args, &votes, &root).await,
    )
    .await?;
    println!("{}\n{}", text::summary(&report), results.display());
    Ok(if report.refusals.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn measure(
    stack: Running<'_>,
    plan: Plan,
    args: &RunArgs,
    votes: &Arc<[Vote]>,
    root: &Path,
) -> Result<(Report, PathBuf)> {
    let started_at = lab::demo::timestamp()?;
    let run = format!("compare-{}-{}", plan.name, started_at.replace(['-', ':'], ""));
    let results = args
        .results
        .clone()
        .unwrap_or_else(|| root.join("results"))
        .join(&run);
    std::fs::create_dir_all(&results).with_context(|| format!("creating {}", results.display()))?;

    let started = Instant::now();
    let trial = trial::run(&plan, stack, votes, &results.join("ledger.jsonl")).await?;

    let margin = Margin {
        share: args.margin,
        floor_ms: args.margin_floor_ms,
    };
    let rules = Rules {
        margin,
        confidence: args.confidence,
        seed: plan.design.seed,
    };
    let points: Vec<PointReport> = trial
        .points
        .iter()
        .map(|point| summary::point(point, rules))
        .collect();
    let mut report = Report {
        format: FORMAT,
        run,
        started_at,
        took_s: started.elapsed().as_secs_f64(),
        machine: machine::describe(),
        driver: Driver::default(),
        confidence: args.confidence,
        margin,
        fairness: trial.fairness,
        refusals: Vec::new(),
        changes: changes(&points),
        points,
        reconciled: trial.books.is_ok(),
        differences: trial.books.err(),
        plan,
    };
    report.refusals = refusals(&report);
    let path = results.join("report.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&report)?)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok((report, results))
}

/// A file, or the name of a plan that comes with the project.
fn plan_path(root: &Path, name: &str) -> PathBuf {
    let file = PathBuf::from(name);
    if file.exists() {
        return file;
    }
    root.join("compare/plans").join(name).with_extension("toml")
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must lie between 0 and 1".to_owned()),
    }
}
