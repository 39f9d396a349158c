//! `compare run`: a stack of its own, the experiment, the books, the report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab::project;
use lab::state::Settings;
use proto::votes::Vote;

use crate::changes::changes;
use crate::driver::itself;
use crate::plan::Plan;
use crate::refusals::refusals;
use crate::report::model::{Driver, FORMAT, Finding, PointReport, Report};
use crate::report::{self, summary, text};
use crate::thresholds::Thresholds;
use crate::{fairness, machine, plans, trial, votes};
use ephemeral_stack::{Running, with_stack};

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

    #[command(flatten)]
    thresholds: Thresholds,

    /// Fail (exit code 4) if this arm is worse than the one it is compared with, on any measure; may be repeated
    #[arg(long, value_name = "ARM")]
    must_not_lose: Vec<String>,

    /// Give one service of the stack one more argument, such as rest=--deadline-ms=900; may be repeated. Unequal arguments
    /// make the routes unequal, and then there is no run
    #[arg(long = "service-arg", value_name = "SERVICE=ARG", value_parser = parse_service_arg)]
    service_args: Vec<(String, String)>,
}

/// The run has no verdict: the report says why.
const NO_VERDICT: u8 = 3;
/// An arm that must not lose did.
const LOST: u8 = 4;

/// Runs the plan and prints the report. Exit code 0 if there is a verdict, 3 if there is none, 4 if an arm lost that must
/// not.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let mut plan = Plan::read(&plans::find(&root, &args.plan)?)?;
    if let Some(seed) = args.seed {
        plan.design.seed = seed;
    }
    for name in &args.must_not_lose {
        let is_arm = plan.arms.iter().any(|arm| arm.name == *name);
        ensure!(is_arm, "--must-not-lose {name}: the plan has no such arm");
    }
    let votes = votes::of_the_contest(&root)?;
    let driver = itself::measure(&plan, &votes).await?;
    let tune = |settings: &mut Settings| {
        for (service, arg) in &args.service_args {
            let of_service = settings.extra_args.entry(service.clone()).or_default();
            of_service.push(arg.clone());
        }
    };
    let work = async |stack: Running<'_>| measure(stack, plan, args, driver, &votes, &root).await;
    let (report, results) = match with_stack(tune, work).await? {
        Ok(measured) => measured,
        Err(unfair) => {
            eprintln!("{}", unfair.join("\n"));
            return Ok(NO_VERDICT.into());
        }
    };
    println!(
        "{}\n\n{}",
        text::summary(&report),
        results.join("report.html").display()
    );
    Ok(exit_code(&report, &args.must_not_lose))
}

fn exit_code(report: &Report, must_not_lose: &[String]) -> ExitCode {
    if !report.refusals.is_empty() {
        return NO_VERDICT.into();
    }
    let pairs = || report.points.iter().flat_map(|point| &point.comparisons);
    let lost = pairs().flat_map(|pair| {
        pair.measures
            .iter()
            .filter_map(|comparison| comparison.loser(pair))
    });
    let lost: Vec<&str> = lost
        .filter(|loser| must_not_lose.iter().any(|name| name == loser))
        .collect();
    for name in &lost {
        eprintln!("compare: {name} must not lose, and did");
    }
    if lost.is_empty() {
        ExitCode::SUCCESS
    } else {
        LOST.into()
    }
}

/// `Err` holds what is not equal, a sentence each: then nothing was run.
async fn measure(
    stack: Running<'_>,
    plan: Plan,
    args: &RunArgs,
    driver: Driver,
    votes: &Arc<[Vote]>,
    root: &Path,
) -> Result<Result<(Report, PathBuf), Vec<String>>> {
    let fairness = fairness::check(&plan, stack.endpoints).await?;
    let unfair: Vec<String> = fairness
        .iter()
        .filter(|finding| !finding.fair)
        .map(Finding::refusal)
        .collect();
    if !unfair.is_empty() {
        return Ok(Err(unfair));
    }
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

    let rules = args.thresholds.rules(plan.design.seed);
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
        driver,
        confidence: rules.confidence,
        margin: rules.margin,
        fairness,
        refusals: Vec::new(),
        changes: changes(&points),
        points,
        reconciled: trial.books.is_ok(),
        differences: trial.books.err(),
        plan,
    };
    report.refusals = refusals(&report);
    report::write(&report, &trial.points, &results)?;
    Ok(Ok((report, results)))
}

fn parse_service_arg(text: &str) -> Result<(String, String), String> {
    let (service, arg) = text.split_once('=').ok_or("must be SERVICE=ARG")?;
    Ok((service.to_owned(), arg.to_owned()))
}
