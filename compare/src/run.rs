//! `compare run`: starts an ephemeral stack, checks fairness, runs the experiment, reconciles and writes the report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use analysis::report::model::{FORMAT, Finding, Report};
use analysis::report::text;
use analysis::summary;
use anyhow::{Context, Result, ensure};
use ephemeral_stack::{Running, with_stack};
use experiment_model::calibration::Calibration;
use experiment_model::plan::Plan;
use lab::project;
use lab::state::Settings;
use load_generator::{calibration, votes};
use proto::votes::Vote;

use crate::thresholds::Thresholds;
use crate::{fairness_check, machine, plans, report_files, subject, trial};

/// Options of `compare run`.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The plan: a file, or the name of a plan in compare/plans
    #[arg(default_value = "quick")]
    plan: String,

    /// Seed of the order and the send times, instead of the plan's seed
    #[arg(long)]
    seed: Option<u64>,

    /// Directory in which the run creates a folder for its report and its ledger [default: results in the project's root]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    #[command(flatten)]
    thresholds: Thresholds,

    /// Fail with exit code 4 if this variant is worse than another one on any measure; repeatable
    #[arg(long, value_name = "VARIANT")]
    must_not_lose: Vec<String>,

    /// Give all connections of the stack TLS and a login
    #[arg(long)]
    secure: bool,

    /// Add a command-line argument to one service of the stack, such as rest=--deadline-ms=900; repeatable. Unequal
    /// arguments make the routes unequal, and the run stops with exit code 3
    #[arg(long = "service-arg", value_name = "SERVICE=ARG", value_parser = parse_service_arg)]
    service_args: Vec<(String, String)>,
}

/// The exit code of a run without a verdict; of a sweep, if no value has one. The reasons are in the report, or on stderr if
/// unequal settings stopped the run before it began.
const EXIT_NO_VERDICT: u8 = 3;
/// The exit code if a variant of `--must-not-lose` lost.
const EXIT_LOST: u8 = 4;

/// Runs the plan and prints the report. Exit code 0 if there is a verdict, at one value of a sweep or more; 3 if there is
/// none; 4 if a variant of `--must-not-lose` lost.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let mut plan = plans::read_named(&root, &args.plan)?;
    if let Some(seed) = args.seed {
        plan.design.seed = seed;
    }
    for name in &args.must_not_lose {
        let is_variant = plan.variants.iter().any(|variant| variant.name == *name);
        ensure!(is_variant, "--must-not-lose {name}: the plan has no such variant");
    }
    if args.secure {
        subject::ensure_can_be_secured(&plan)?;
    }
    let votes = votes::read_vote_file(&root)?;
    let calibration = calibration::measure(&plan, &votes).await?;
    let change_settings = |settings: &mut Settings| {
        settings.secure = args.secure;
        for (service, arg) in &args.service_args {
            let extra_args = settings.extra_args.entry(service.clone()).or_default();
            extra_args.push(arg.clone());
        }
    };
    let work = async |stack: Running<'_>| measure(stack, plan, args, calibration, &votes, &root).await;
    let (report, results) = match with_stack(change_settings, work).await? {
        Ok(measured) => measured,
        Err(unfair) => {
            eprintln!("{}", unfair.join("\n"));
            return Ok(EXIT_NO_VERDICT.into());
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
    if !report.has_verdict() {
        return EXIT_NO_VERDICT.into();
    }
    let pairs = report.points_with_verdict().flat_map(|point| &point.pairs);
    let losers = pairs.flat_map(|pair| {
        pair.comparisons
            .iter()
            .filter_map(|comparison| pair.loser(comparison))
    });
    let lost: Vec<&str> = losers
        .filter(|loser| must_not_lose.iter().any(|name| name == loser))
        .collect();
    for name in &lost {
        eprintln!("compare: {name} lost against another variant (--must-not-lose)");
    }
    if lost.is_empty() {
        ExitCode::SUCCESS
    } else {
        EXIT_LOST.into()
    }
}

/// The inner `Err` lists the unequal settings, one sentence each; the plan does not run in that case.
async fn measure(
    stack: Running<'_>,
    plan: Plan,
    args: &RunArgs,
    calibration: Calibration,
    votes: &Arc<[Vote]>,
    root: &Path,
) -> Result<Result<(Report, PathBuf), Vec<String>>> {
    let fairness = fairness_check::check(&plan, stack.access).await?;
    let unfair: Vec<String> = fairness
        .iter()
        .filter(|finding| !finding.fair)
        .map(Finding::no_verdict_reason)
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
    let rule = args.thresholds.decision_rule(&plan);
    let ledger = results.join("ledger.jsonl");
    let trial = trial::run(
        &plan,
        stack,
        votes,
        &ledger,
        Some(&rule),
        calibration.usable_rate(),
    )
    .await?;
    let mut report = Report {
        format: FORMAT,
        run,
        started_at,
        took_s: started.elapsed().as_secs_f64(),
        machine: machine::describe(),
        calibration,
        confidence: rule.confidence,
        margin: rule.margin.clone(),
        fairness,
        no_verdict_reasons: Vec::new(),
        changes: Vec::new(),
        points: trial
            .points
            .iter()
            .map(|point| summary::point(point, &rule))
            .collect(),
        reconciled: trial.reconciliation.is_ok(),
        differences: trial.reconciliation.err(),
        plan,
    };
    summary::conclude(&mut report);
    report_files::write(&report, &trial.points, &results)?;
    Ok(Ok((report, results)))
}

fn parse_service_arg(text: &str) -> Result<(String, String), String> {
    let (service, arg) = text.split_once('=').ok_or("must be SERVICE=ARG")?;
    Ok((service.to_owned(), arg.to_owned()))
}
