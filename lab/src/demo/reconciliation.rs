//! The reconciliation of a run: the counts that `consumer reconcile` finds in the stores, and the latency of each route.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quantile::nearest_rank;
use serde::{Deserialize, Serialize};
use vote::Route;

use super::ledger::Ledger;
use crate::consumer_reconcile;
use crate::stack::Stack;
use crate::state::Settings;

/// The output of `consumer reconcile --json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ReconcileOutput {
    reconciled: bool,
    routes: BTreeMap<String, StoreCounts>,
    differences: Vec<Difference>,
    notes: Vec<String>,
}

/// The counts of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoreCounts {
    /// Votes that this route answered, with or without success.
    pub sent: u64,
    /// Votes that this route acknowledged.
    pub acknowledged: u64,
    /// Distinct vote ids in Kafka.
    pub kafka: i64,
    /// Votes in the tally in Redis.
    pub redis: i64,
    /// Documents in MongoDB.
    pub mongo: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Difference {
    sentence: String,
}

/// The counts and the latency quantiles of one route.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RouteCounts {
    #[serde(flatten)]
    pub counts: StoreCounts,
    /// Median latency of the acknowledged votes in milliseconds; null without votes.
    pub p50_ms: Option<f64>,
    /// The 95th percentile.
    pub p95_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
}

/// The counts of all routes and every difference between them. The counts reconcile if there is no difference.
#[derive(Clone, Debug)]
pub(super) struct Reconciliation {
    pub routes: BTreeMap<&'static str, RouteCounts>,
    pub differences: Vec<String>,
}

impl ReconcileOutput {
    /// Runs `consumer reconcile`, which compares the stores with the ledger.
    pub(super) async fn collect(stack: &Stack, settings: &Settings, ledger: &Path) -> Result<Self> {
        let step = stack.progress().step("reconciliation");
        let output = consumer_reconcile::command(&stack.access(settings), ledger)?
            .arg("--json")
            .output()
            .await
            .context("starting consumer reconcile")?;
        if output.stdout.is_empty() {
            bail!(
                "consumer reconcile failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let result: Self =
            serde_json::from_slice(&output.stdout).context("parsing the output of consumer reconcile")?;
        step.done(if result.reconciled {
            "reconciled"
        } else {
            "NOT reconciled"
        });
        Ok(result)
    }
}

impl Reconciliation {
    /// Combines the counts in `output` with the latencies in `ledger`. A route in `expected` without votes is a
    /// difference.
    pub(super) fn new(ledger: &Ledger, output: &ReconcileOutput, expected: &[Route]) -> Self {
        let mut differences = Vec::new();
        let mut routes = BTreeMap::new();
        for route in Route::ALL {
            let counts = output.routes.get(route.as_str()).copied().unwrap_or_default();
            if counts.sent == 0 && expected.contains(&route) {
                differences.push(format!("{route}: received no vote"));
            }
            let latencies = ledger.latencies_ms(route);
            let route_counts = RouteCounts {
                counts,
                p50_ms: nearest_rank(&latencies, 0.50),
                p95_ms: nearest_rank(&latencies, 0.95),
                p99_ms: nearest_rank(&latencies, 0.99),
            };
            routes.insert(route.as_str(), route_counts);
        }
        differences.extend(
            output
                .differences
                .iter()
                .map(|difference| difference.sentence.clone()),
        );
        if !output.reconciled && output.differences.is_empty() {
            // The reconciliation was not possible: the notes give the reasons.
            differences.extend(output.notes.iter().cloned());
        }
        Self { routes, differences }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::ledger::Entry;

    fn output(differences: &str, reconciled: bool) -> ReconcileOutput {
        let text = format!(
            r#"{{"reconciled":{reconciled},
                "routes":{{"rest":{{"sent":1,"acknowledged":1,"kafka":1,"redis":1,"mongo":1,"lost":0}}}},
                "differences":[{differences}],"notes":["1 record is not counted yet"]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn ledger() -> Ledger {
        let entry = Entry {
            route: Some(Route::Rest),
            path: "split".to_owned(),
            latency_us: 1_500,
            ok: true,
        };
        Ledger { entries: vec![entry] }
    }

    #[test]
    fn equal_counts_have_latencies_and_no_difference() {
        let reconciliation = Reconciliation::new(&ledger(), &output("", true), &[Route::Rest]);
        assert_eq!(reconciliation.differences, Vec::<String>::new());
        assert_eq!(reconciliation.routes["rest"].counts.redis, 1);
        assert_eq!(reconciliation.routes["rest"].p50_ms, Some(1.5));
        assert_eq!(reconciliation.routes["grpc"].p50_ms, None);
    }

    #[test]
    fn missing_route_unequal_count_and_unfinished_reconciliation_are_differences() {
        let missing = Reconciliation::new(&ledger(), &output("", true), &[Route::Grpc]);
        assert_eq!(missing.differences, ["grpc: received no vote"]);
        let difference = r#"{"route":"rest","store":"redis","kind":"count","vote_id":null,"sentence":"odd"}"#;
        let different = Reconciliation::new(&ledger(), &output(difference, false), &[]);
        assert_eq!(different.differences, ["odd"]);
        let unknown = Reconciliation::new(&ledger(), &output("", false), &[]);
        assert_eq!(unknown.differences, ["1 record is not counted yet"]);
    }
}
