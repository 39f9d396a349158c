//! The lesson: faults that published comparisons are known for, made on purpose, one at a time, beside the fair run. What a
//! fault does to the verdict is what such a comparison reports about the protocols.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use lab::project;
use lab::state::Settings;
use serde::Serialize;

use crate::judge::{Comparison, Measure, Rules};
use crate::plan::Plan;
use crate::report::summary;
use crate::report::text::sentence;
use crate::stats::verdict::Verdict;
use crate::{fairness, trial, votes};
use ephemeral_stack::with_stack;

/// Options of `compare confounds`.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfoundsArgs {
    /// Only these faults (see --list); the fair run always comes first
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,

    /// Name the faults and what each teaches, and do nothing
    #[arg(long)]
    list: bool,

    /// Also write the table, in Markdown, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// A fault, and how it comes into a run that is fair otherwise.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    teaches: &'static str,
    of_the_services: fn(&mut Settings),
    of_the_plan: fn(&mut Plan),
}

/// A rate that two connections of HTTP/1.1 cannot carry: the answer to each vote takes more than the time between two.
const OVERLOAD_RATE: f64 = 3_000.0;
const FEW_CONNECTIONS: usize = 2;

const FAIR: Fault = Fault {
    name: "none",
    teaches: "The fair run.",
    of_the_services: |_| {},
    of_the_plan: |_| {},
};

const FAULTS: [Fault; 8] = [
    Fault {
        name: "answer-before-work",
        teaches: "REST answers before Kafka has the vote; gRPC waits for it.",
        of_the_services: |settings| extra(settings, "rest", &["--inject-fault", "answer-before-work"]),
        of_the_plan: |_| {},
    },
    Fault {
        name: "producer-per-request",
        teaches: "REST makes a Kafka producer for each vote; gRPC keeps one.",
        of_the_services: |settings| extra(settings, "rest", &["--inject-fault", "producer-per-request"]),
        of_the_plan: |_| {},
    },
    Fault {
        name: "dial-per-request",
        teaches: "The REST client dials for each vote; the gRPC client keeps its connections.",
        of_the_services: |_| {},
        of_the_plan: |plan| {
            if let Some(rest) = plan.arms.first_mut() {
                rest.reuse = Some(false);
            }
        },
    },
    Fault {
        name: "one-partition",
        teaches: "The topic has one partition: all votes wait in one line.",
        of_the_services: |settings| settings.partitions = Some(1),
        of_the_plan: |_| {},
    },
    Fault {
        name: "nagle",
        teaches: "REST's sockets keep Nagle's algorithm; gRPC's do not.",
        of_the_services: |settings| extra(settings, "rest", &["--inject-fault", "nagle"]),
        of_the_plan: |_| {},
    },
    Fault {
        name: "linger",
        teaches: "REST's producer waits 5 ms to fill a batch, gRPC's does not wait.",
        of_the_services: |settings| {
            extra(settings, "rest", &["--linger-ms", "5"]);
            extra(settings, "grpc", &["--linger-ms", "0"]);
        },
        of_the_plan: |_| {},
    },
    Fault {
        name: "overload",
        teaches: "More votes than two connections of HTTP/1.1 can carry, sent at their times (open loop): the truth for the next.",
        of_the_services: |_| {},
        of_the_plan: |plan| {
            plan.load.rate = OVERLOAD_RATE;
            plan.load.connections = FEW_CONNECTIONS;
        },
    },
    Fault {
        name: "closed-loop",
        teaches: "The same overload from clients that wait for each answer before they send on: what is slow is asked less.",
        of_the_services: |_| {},
        of_the_plan: |plan| {
            plan.load.rate = OVERLOAD_RATE;
            plan.load.connections = FEW_CONNECTIONS;
            plan.load.users = Some(FEW_CONNECTIONS);
        },
    },
];

fn extra(settings: &mut Settings, service: &str, args: &[&str]) {
    let of_service = settings.extra_args.entry(service.to_owned()).or_default();
    of_service.extend(args.iter().map(|arg| (*arg).to_owned()));
}

/// What a fault did.
#[derive(Clone, Debug, Serialize)]
struct Row {
    fault: &'static str,
    teaches: &'static str,
    measures: BTreeMap<Measure, Comparison>,
    /// What the fairness check said against it.
    noticed: Vec<String>,
    books_equal: bool,
}

/// Runs the fair plan, then with each fault, and prints what each did to the verdict.
pub async fn run(args: &ConfoundsArgs) -> Result<ExitCode> {
    if args.list {
        for fault in FAULTS {
            println!("{:<22} {}", fault.name, fault.teaches);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.only {
        let known = FAULTS.iter().any(|fault| fault.name == name);
        anyhow::ensure!(
            known,
            "no fault is called {name}; `compare confounds --list` names them"
        );
    }
    let wanted = |fault: &Fault| args.only.is_empty() || args.only.iter().any(|name| name == fault.name);
    let root = project::root()?;
    let mut rows = Vec::new();
    for fault in std::iter::once(FAIR).chain(FAULTS.into_iter().filter(wanted)) {
        println!("{}: {}", fault.name, fault.teaches);
        let row = try_out(fault, &root)
            .await
            .with_context(|| format!("the fault {}", fault.name))?;
        for comparison in row.measures.values() {
            println!("  {}", sentence("REST", "gRPC", comparison));
        }
        rows.push(row);
    }
    let table = table(&rows);
    println!("\n{table}");
    if let Some(path) = &args.write {
        std::fs::write(path, table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn try_out(fault: Fault, root: &Path) -> Result<Row> {
    let mut plan = Plan::read(&root.join("compare/plans/confounds.toml"))?;
    (fault.of_the_plan)(&mut plan);
    let votes = votes::of_the_contest(root)?;
    let directory = tempfile::tempdir()?;
    let ledger = directory.path().join("ledger.jsonl");
    let (fairness, trial) = with_stack(fault.of_the_services, async |stack| {
        // What it finds is part of the lesson, and no reason to stop.
        let fairness = fairness::check(&plan, stack.endpoints).await?;
        Ok((fairness, trial::run(&plan, stack, &votes, &ledger).await?))
    })
    .await?;
    let rules = Rules::usual(plan.design.seed);
    let point = trial.points.first().context("no point")?;
    let pairs = summary::point(point, rules).comparisons;
    let measures = pairs.into_iter().flat_map(|pair| pair.measures);
    let unfair = fairness.into_iter().filter(|finding| !finding.fair);
    Ok(Row {
        fault: fault.name,
        teaches: fault.teaches,
        measures: measures
            .map(|comparison| (comparison.measure, comparison))
            .collect(),
        noticed: unfair.map(|finding| finding.subject).collect(),
        books_equal: trial.books.is_ok(),
    })
}

/// The table in Markdown.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| fault | median REST, gRPC (ms) | gRPC − REST (ms) | verdict: median | 99th | CPU | the check noticed | books |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for row in rows {
        let Some(p50) = row.measures.get(&Measure::P50) else {
            continue;
        };
        let word = |measure| row.measures.get(&measure).map_or("no data", word);
        lines.push(format!(
            "| **{}** {} | {:.2}, {:.2} | {:+.2} [{:+.2}, {:+.2}] | {} | {} | {} | {} | {} |",
            row.fault,
            row.teaches,
            p50.a,
            p50.b,
            p50.difference.estimate,
            p50.difference.low,
            p50.difference.high,
            word(Measure::P50),
            word(Measure::P99),
            word(Measure::Cpu),
            if row.noticed.is_empty() {
                "nothing".to_owned()
            } else {
                row.noticed.join(", ")
            },
            if row.books_equal { "equal" } else { "different" },
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn word(comparison: &Comparison) -> &'static str {
    match comparison.verdict {
        Verdict::ABetter => "REST better",
        Verdict::BBetter => "gRPC better",
        Verdict::Equivalent => "equivalent",
        Verdict::NotEnoughData { .. } => "not enough data",
    }
}
