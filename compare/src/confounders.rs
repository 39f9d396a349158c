//! `compare confounders`: demonstrates known faults of published comparisons. It injects one fault at a time into a fair
//! run and shows the effect on the verdict. Such a comparison would report this effect as a property of the protocols.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use analysis::comparison::Comparison;
use analysis::decision_rule::DecisionRule;
use analysis::margin::Margin;
use analysis::measure::Measure;
use analysis::report::text::sentence;
use analysis::stats::verdict::Verdict;
use analysis::summary;
use anyhow::{Context, Result};
use ephemeral_stack::with_stack;
use experiment_model::plan::Plan;
use lab::project;
use lab::state::Settings;
use load_generator::votes;
use serde::Serialize;

use crate::{fairness_check, plans, trial};

/// Options of `compare confounders`.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfoundersArgs {
    /// Run only these faults (see --list), after the fair run
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// List the faults with a description of each, and exit
    #[arg(long)]
    list: bool,

    /// Also write the table, in Markdown, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// A fault, and how it changes a fair run.
#[derive(Clone, Copy)]
struct Confounder {
    name: &'static str,
    description: &'static str,
    change_settings: fn(&mut Settings),
    change_plan: fn(&mut Plan),
}

/// A rate that two votes in flight cannot carry: an answer takes longer than the gap between two votes.
const OVERLOAD_RATE: f64 = 3_000.0;
const FEW_IN_FLIGHT: usize = 2;

const FAIR: Confounder = Confounder {
    name: "none",
    description: "The fair run.",
    change_settings: |_| {},
    change_plan: |_| {},
};

const CONFOUNDERS: [Confounder; 9] = [
    Confounder {
        name: "answer-before-work",
        description: "REST answers before Kafka has the vote; gRPC waits for Kafka.",
        change_settings: |settings| add_args(settings, "rest", &["--inject-fault", "answer-before-work"]),
        change_plan: |_| {},
    },
    Confounder {
        name: "producer-per-request",
        description: "REST creates a Kafka producer for each vote; gRPC keeps one.",
        change_settings: |settings| add_args(settings, "rest", &["--inject-fault", "producer-per-request"]),
        change_plan: |_| {},
    },
    Confounder {
        name: "connection-per-request",
        description: "The REST client opens a connection for each vote; the gRPC client keeps its connections.",
        change_settings: |_| {},
        change_plan: |plan| {
            if let Some(rest) = plan.variants.first_mut() {
                rest.reuse = Some(false);
            }
        },
    },
    Confounder {
        name: "unequal-pools",
        description: "REST may have one vote in flight; gRPC may have 64.",
        change_settings: |_| {},
        change_plan: |plan| {
            if let Some(rest) = plan.variants.first_mut() {
                rest.in_flight = Some(1);
            }
        },
    },
    Confounder {
        name: "one-partition",
        description: "The topic has one partition, so all votes share one queue.",
        change_settings: |settings| settings.partitions = Some(1),
        change_plan: |_| {},
    },
    Confounder {
        name: "nagle",
        description: "REST's sockets keep Nagle's algorithm; gRPC's sockets do not.",
        change_settings: |settings| add_args(settings, "rest", &["--inject-fault", "nagle"]),
        change_plan: |_| {},
    },
    Confounder {
        name: "linger",
        description: "REST's producer waits 5 ms to fill a batch; gRPC's producer does not wait.",
        change_settings: |settings| {
            add_args(settings, "rest", &["--linger-ms", "5"]);
            add_args(settings, "grpc", &["--linger-ms", "0"]);
        },
        change_plan: |_| {},
    },
    Confounder {
        name: "overload",
        description: "The load exceeds what two votes in flight can carry, in an open loop. This run has no fault: it is the reference for closed-loop.",
        change_settings: |_| {},
        change_plan: |plan| {
            plan.load.rate = OVERLOAD_RATE;
            plan.load.in_flight = FEW_IN_FLIGHT;
        },
    },
    Confounder {
        name: "closed-loop",
        description: "The same overload from clients that wait for each answer: a slow route gets fewer requests.",
        change_settings: |_| {},
        change_plan: |plan| {
            plan.load.rate = OVERLOAD_RATE;
            plan.load.in_flight = FEW_IN_FLIGHT;
            plan.load.users = Some(FEW_IN_FLIGHT);
        },
    },
];

fn add_args(settings: &mut Settings, service: &str, args: &[&str]) {
    let service_args = settings.extra_args.entry(service.to_owned()).or_default();
    service_args.extend(args.iter().map(|arg| (*arg).to_owned()));
}

/// The effect of one fault.
#[derive(Clone, Debug, Serialize)]
struct ConfounderResult {
    confounder: &'static str,
    description: &'static str,
    measures: BTreeMap<Measure, Comparison>,
    /// The settings that the fairness check found unequal.
    unfair_settings: Vec<String>,
    reconciled: bool,
}

/// Runs the fair plan, then the plan with each fault, and prints the effect of each on the verdict.
pub async fn run(args: &ConfoundersArgs) -> Result<ExitCode> {
    if args.list {
        for confounder in CONFOUNDERS {
            println!("{:<22} {}", confounder.name, confounder.description);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.only {
        let is_known = CONFOUNDERS.iter().any(|confounder| confounder.name == name);
        anyhow::ensure!(
            is_known,
            "there is no fault {name}; `compare confounders --list` lists them"
        );
    }
    let is_selected = |confounder: &Confounder| {
        args.only.is_empty() || args.only.iter().any(|name| name == confounder.name)
    };
    let root = project::root()?;
    let mut results = Vec::new();
    for confounder in std::iter::once(FAIR).chain(CONFOUNDERS.into_iter().filter(is_selected)) {
        println!("{}: {}", confounder.name, confounder.description);
        let result = measure(confounder, &root)
            .await
            .with_context(|| format!("the fault {}", confounder.name))?;
        for comparison in result.measures.values() {
            println!("  {}", sentence("REST", "gRPC", comparison));
        }
        results.push(result);
    }
    let table = table(&results);
    println!("\n{table}");
    if let Some(path) = &args.write {
        std::fs::write(path, table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(confounder: Confounder, root: &Path) -> Result<ConfounderResult> {
    let mut plan = plans::read_named(root, "confounders")?;
    (confounder.change_plan)(&mut plan);
    let votes = votes::read_vote_file(root)?;
    let directory = tempfile::tempdir()?;
    let ledger = directory.path().join("ledger.jsonl");
    let (fairness, trial) = with_stack(confounder.change_settings, async |stack| {
        // An unfair setting is part of the demonstration and does not stop the run.
        let fairness = fairness_check::check(&plan, stack.access).await?;
        Ok((
            fairness,
            trial::run(&plan, stack, &votes, &ledger, None, f64::INFINITY).await?,
        ))
    })
    .await?;
    let rule = DecisionRule::of(&plan, Margin::default(), 0.95);
    let point = trial.points.first().context("the run has no measurements")?;
    let pairs = summary::point(point, &rule).pairs;
    let comparisons = pairs.into_iter().flat_map(|pair| pair.comparisons);
    let unfair = fairness.into_iter().filter(|finding| !finding.fair);
    Ok(ConfounderResult {
        confounder: confounder.name,
        description: confounder.description,
        measures: comparisons
            .map(|comparison| (comparison.measure, comparison))
            .collect(),
        unfair_settings: unfair.map(|finding| finding.subject).collect(),
        reconciled: trial.reconciliation.is_ok(),
    })
}

/// The table in Markdown.
fn table(results: &[ConfounderResult]) -> String {
    let mut lines = vec![
        "| fault | median REST, gRPC (ms) | gRPC − REST (ms) | verdict: median | 99th | CPU | fairness check found | counts |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for result in results {
        let Some(p50) = result.measures.get(&Measure::P50) else {
            continue;
        };
        let verdict = |measure| result.measures.get(&measure).map_or("no data", verdict_text);
        lines.push(format!(
            "| **{}** {} | {:.2}, {:.2} | {:+.2} [{:+.2}, {:+.2}] | {} | {} | {} | {} | {} |",
            result.confounder,
            result.description,
            p50.a,
            p50.b,
            p50.difference.estimate,
            p50.difference.low,
            p50.difference.high,
            verdict(Measure::P50),
            verdict(Measure::P99),
            verdict(Measure::Cpu),
            if result.unfair_settings.is_empty() {
                "nothing".to_owned()
            } else {
                result.unfair_settings.join(", ")
            },
            if result.reconciled { "reconcile" } else { "differ" },
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn verdict_text(comparison: &Comparison) -> &'static str {
    match comparison.verdict {
        Verdict::ABetter => "REST better",
        Verdict::BBetter => "gRPC better",
        Verdict::Equivalent => "equivalent",
        Verdict::NotEnoughData { .. } => "not enough data",
    }
}
