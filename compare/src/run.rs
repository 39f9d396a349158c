//! `compare run`: a stack of its own, the experiment, the books, the report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use lab::endpoints::Endpoints;
use lab::options::StackOptions;
use lab::progress::Progress;
use lab::project;
use lab::signals::unless_interrupted;
use lab::stack::{Claim, Stack};
use proto::votes::Vote;
use serde::Deserialize;

use crate::books;
use crate::experiment;
use crate::judge::Margin;
use crate::plan::Plan;
use crate::report::{Report, Rules, Totals, holds, judge};

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

#[derive(Parser)]
struct NoOptions {
    #[command(flatten)]
    stack: StackOptions,
}

/// Runs the plan and prints the report. Exit code 0 if there is a verdict and the books are equal.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let mut plan = Plan::read(&plan_path(&root, &args.plan))?;
    if let Some(seed) = args.seed {
        plan.design.seed = seed;
    }
    let votes = votes(&root)?;
    let directory = tempfile::Builder::new().prefix("dualpath-compare-").tempdir()?;
    let stack = Stack::open(
        &directory.path().join("stack"),
        &project::programs()?,
        Progress::new(),
    )?;
    if stack.claim().await? == Claim::Running {
        bail!("a stack runs already in {}", stack.dir().path().display());
    }
    let outcome = unless_interrupted(measure(&stack, plan, args, &votes, &root)).await;
    stack.stop().await?;
    let (report, results) = outcome?;
    println!("{}\n{}", report.text(), results.display());
    Ok(if report.control_holds && report.reconciled {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn measure(
    stack: &Stack,
    plan: Plan,
    args: &RunArgs,
    votes: &Arc<[Vote]>,
    root: &Path,
) -> Result<(Report, PathBuf)> {
    let options = NoOptions::try_parse_from(["compare", "--free-ports"])?;
    let settings = options.stack.settings()?;
    stack.start(&settings).await?;
    let endpoints = Endpoints::new(&settings.ports);
    let started_at = lab::demo::timestamp()?;
    let run = format!("compare-{}-{}", plan.name, started_at.replace(['-', ':'], ""));
    let results = args
        .results
        .clone()
        .unwrap_or_else(|| root.join("results"))
        .join(&run);
    std::fs::create_dir_all(&results).with_context(|| format!("creating {}", results.display()))?;

    let sent = experiment::run(&plan, &endpoints, votes, stack.progress()).await?;
    let ledger = results.join("ledger.jsonl");
    books::write_ledger(&ledger, &sent.arms, &sent.warm_up)?;
    let step = stack.progress().step("books");
    let said = books::reconcile(&endpoints, &ledger).await?;
    step.done(if said.is_ok() { "equal" } else { "different" });

    let margin = Margin {
        share: args.margin,
        floor_ms: args.margin_floor_ms,
    };
    let rules = Rules {
        margin,
        confidence: args.confidence,
        seed: plan.design.seed,
    };
    let (control, comparisons) = judge(&sent.arms, rules);
    let report = Report {
        run,
        started_at,
        confidence: args.confidence,
        margin,
        arms: sent.arms.iter().map(Totals::of).collect(),
        control_holds: holds(&control),
        control,
        comparisons,
        reconciled: said.is_ok(),
        differences: said.err(),
        plan,
    };
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

/// The votes to send, in turn.
fn votes(root: &Path) -> Result<Arc<[Vote]>> {
    #[derive(Deserialize)]
    struct Line {
        name: String,
        album: String,
        year: serde_json::Value,
        rank: serde_json::Value,
    }
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let path = root.join("locust/votes/bandas_guatemala.json");
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let lines: Vec<Line> =
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?;
    let votes = lines.into_iter().map(|line| Vote {
        name: line.name,
        album: line.album,
        year: text(line.year),
        rank: text(line.rank),
        vote_id: String::new(),
    });
    Ok(votes.collect())
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must lie between 0 and 1".to_owned()),
    }
}
