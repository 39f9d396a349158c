//! The report of a run: `report.json` for programs, `report.html` and a table for readers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use minijinja::{Environment, Value, context};
use serde::Serialize;
use vote::Route;

use super::latency_plot::latency_svg;
use super::ledger::Ledger;
use super::reconciliation::{ReconcileOutput, Reconciliation, RouteCounts};

const PAGE: &str = include_str!("report.html");

/// The name and the parameters of a run, with which it can be repeated.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub name: String,
    /// UTC, with a resolution of one second.
    pub started_at: String,
    pub votes_file: String,
    pub seed: u64,
    pub users: u32,
}

/// The content of `report.json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub run: String,
    started_at: String,
    /// From the start of Locust to its end.
    duration_s: f64,
    votes_file: String,
    seed: u64,
    users: u32,
    routes: BTreeMap<&'static str, RouteCounts>,
    totals: Totals,
    split: Split,
    pub reconciled: bool,
    /// Why the counts do not reconcile, one sentence each.
    differences: Vec<String>,
    versions: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Totals {
    /// All votes, including those without an answer.
    sent: usize,
    acknowledged: usize,
    kafka: i64,
    redis: i64,
    mongo: i64,
}

/// The weighted split of the Ingress: configured and observed.
#[derive(Clone, Debug, Serialize)]
struct Split {
    votes: usize,
    configured_bridge_percent: u8,
    /// Null if no vote took the split path.
    observed_bridge_percent: Option<f64>,
}

impl Report {
    /// Reconciles the counts and collects the content of the report.
    pub(super) fn new(
        run: Run,
        weight: u8,
        ledger: &Ledger,
        output: &ReconcileOutput,
        duration: Duration,
    ) -> Self {
        let reconciliation = Reconciliation::new(ledger, output, &expected_routes(weight));
        let versions = std::iter::once(format!("dualpath {}", env!("CARGO_PKG_VERSION")))
            .chain(crate::fetch::versions().into_iter().map(str::to_owned));
        Self {
            run: run.name,
            started_at: run.started_at,
            duration_s: duration.as_secs_f64(),
            votes_file: run.votes_file,
            seed: run.seed,
            users: run.users,
            totals: Totals::new(ledger, &reconciliation.routes),
            split: Split::new(weight, ledger),
            routes: reconciliation.routes,
            reconciled: reconciliation.differences.is_empty(),
            differences: reconciliation.differences,
            versions: versions.collect(),
        }
    }

    /// Writes `report.json` and `report.html` into the directory of the run.
    pub(super) fn write(&self, directory: &Path, ledger: &Ledger) -> Result<()> {
        std::fs::write(directory.join("report.json"), serde_json::to_vec_pretty(self)?)
            .context("writing report.json")?;
        let latencies = latency_svg(&Route::ALL.map(|route| (route, ledger.latencies_ms(route))))?;
        let mut environment = Environment::new();
        environment.add_filter("ms", |value: Value| text_ms(f64::try_from(value).ok()));
        environment.add_filter("percent", |value: Value| text_percent(f64::try_from(value).ok()));
        let page = environment.render_named_str(
            "report.html",
            PAGE,
            context! { report => Value::from_serialize(self), plot => Value::from_safe_string(latencies) },
        )?;
        std::fs::write(directory.join("report.html"), page).context("writing report.html")
    }

    /// Prints the table, the result of the reconciliation and the paths of the files.
    pub(super) fn print(&self, directory: &Path) {
        println!(
            "\n{:<8} {:>9} {:>13} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "ROUTE", "SENT", "ACKNOWLEDGED", "KAFKA", "REDIS", "MONGODB", "P50 ms", "P95 ms", "P99 ms"
        );
        for (route, route_counts) in &self.routes {
            println!(
                "{route:<8} {:>9} {:>13} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                route_counts.counts.sent,
                route_counts.counts.acknowledged,
                route_counts.counts.kafka,
                route_counts.counts.redis,
                route_counts.counts.mongo,
                text_ms(route_counts.p50_ms),
                text_ms(route_counts.p95_ms),
                text_ms(route_counts.p99_ms)
            );
        }
        let Totals {
            sent,
            acknowledged,
            kafka,
            redis,
            mongo,
        } = &self.totals;
        println!(
            "{:<8} {sent:>9} {acknowledged:>13} {kafka:>9} {redis:>9} {mongo:>9}",
            "total"
        );
        println!(
            "\nsplit of {} votes: {} % to bridge configured, {} observed",
            self.split.votes,
            self.split.configured_bridge_percent,
            text_percent(self.split.observed_bridge_percent)
        );
        println!(
            "{}",
            if self.reconciled {
                "reconciled: every vote is in every store exactly once"
            } else {
                "NOT reconciled:"
            }
        );
        for difference in self.differences.iter().take(20) {
            println!("  {difference}");
        }
        println!(
            "\n{}\n{}",
            directory.join("report.html").display(),
            directory.join("report.json").display()
        );
        println!(
            "\nOpen report.html in a browser. To watch votes arrive, run `make up`: it starts the same stack, leaves it \
             running\nand prints the addresses of the viewer and of Prometheus. For Grafana dashboards, see \
             grafana/README.md."
        );
    }
}

impl Totals {
    fn new(ledger: &Ledger, routes: &BTreeMap<&'static str, RouteCounts>) -> Self {
        Self {
            sent: ledger.entries.len(),
            acknowledged: ledger.acknowledged(),
            kafka: routes
                .values()
                .map(|route_counts| route_counts.counts.kafka)
                .sum(),
            redis: routes
                .values()
                .map(|route_counts| route_counts.counts.redis)
                .sum(),
            mongo: routes
                .values()
                .map(|route_counts| route_counts.counts.mongo)
                .sum(),
        }
    }
}

impl Split {
    fn new(weight: u8, ledger: &Ledger) -> Self {
        let answered = ledger
            .entries
            .iter()
            .filter(|entry| entry.path == "split")
            .filter_map(|entry| entry.route);
        let routes: Vec<Route> = answered.collect();
        let bridge = routes.iter().filter(|route| **route == Route::Bridge).count();
        Self {
            votes: routes.len(),
            configured_bridge_percent: weight,
            observed_bridge_percent: (!routes.is_empty())
                .then(|| 100.0 * bridge as f64 / routes.len() as f64),
        }
    }
}

/// The routes that must receive votes. A split of 0 or 100 percent sends none to one of its two routes.
fn expected_routes(weight: u8) -> Vec<Route> {
    let expected = |route: &Route| match route {
        Route::Grpc => true,
        Route::Rest => weight < 100,
        Route::Bridge => weight > 0,
    };
    Route::ALL.into_iter().filter(expected).collect()
}

fn text_ms(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

fn text_percent(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.2} %"))
}
