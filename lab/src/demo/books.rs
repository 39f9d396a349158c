//! The books of a run: what `consumer reconcile` finds in the stores, and how fast the routes were.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use vote::Route;

use super::ledger::{Ledger, quantile};
use crate::endpoints::Endpoints;
use crate::reconcile;
use crate::stack::Stack;
use crate::state::Settings;

/// What `consumer reconcile --json` says.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Reconciliation {
    reconciled: bool,
    routes: BTreeMap<String, Counts>,
    differences: Vec<Difference>,
    notes: Vec<String>,
}

/// One route's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Votes that this route answered, well or not.
    pub sent: u64,
    /// Votes with a receipt.
    pub acknowledged: u64,
    /// Distinct ids in Kafka.
    pub kafka: i64,
    /// The tally in Redis.
    pub redis: i64,
    /// Documents in MongoDB.
    pub mongo: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Difference {
    sentence: String,
}

/// One route's books.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RouteBooks {
    #[serde(flatten)]
    pub counts: Counts,
    /// Milliseconds within which half of the acknowledged votes were answered; null without votes.
    pub p50_ms: Option<f64>,
    /// 95 of 100.
    pub p95_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
}

/// All routes' books and every difference found in them.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub routes: BTreeMap<&'static str, RouteBooks>,
    pub differences: Vec<String>,
}

/// Has the project's own tool compare the stores with the ledger.
pub(super) async fn reconcile(stack: &Stack, settings: &Settings, ledger: &Path) -> Result<Reconciliation> {
    let step = stack.progress().step("books");
    let endpoints = Endpoints::new(&settings.ports);
    let output = reconcile::command(&endpoints, ledger)?
        .arg("--json")
        .output()
        .await
        .context("starting consumer reconcile")?;
    if output.stdout.is_empty() {
        bail!(
            "consumer reconcile: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let said: Reconciliation =
        serde_json::from_slice(&output.stdout).context("reading what consumer reconcile says")?;
    step.done(if said.reconciled {
        "balanced"
    } else {
        "not balanced"
    });
    Ok(said)
}

impl Books {
    /// Adds the latencies to what was found. `expected` are the routes that must have got votes.
    pub(super) fn new(ledger: &Ledger, said: &Reconciliation, expected: &[Route]) -> Self {
        let mut differences = Vec::new();
        let mut routes = BTreeMap::new();
        for route in Route::ALL {
            let counts = said.routes.get(route.as_str()).copied().unwrap_or_default();
            if counts.sent == 0 && expected.contains(&route) {
                differences.push(format!("{route}: got no vote"));
            }
            let latencies = ledger.latencies_ms(route);
            let books = RouteBooks {
                counts,
                p50_ms: quantile(&latencies, 0.50),
                p95_ms: quantile(&latencies, 0.95),
                p99_ms: quantile(&latencies, 0.99),
            };
            routes.insert(route.as_str(), books);
        }
        differences.extend(
            said.differences
                .iter()
                .map(|difference| difference.sentence.clone()),
        );
        if !said.reconciled && said.differences.is_empty() {
            // No verdict: a note says why.
            differences.extend(said.notes.iter().cloned());
        }
        Self { routes, differences }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::ledger::Entry;

    fn said(differences: &str, reconciled: bool) -> Reconciliation {
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
    fn equal_books_have_latencies_and_no_difference() {
        let books = Books::new(&ledger(), &said("", true), &[Route::Rest]);
        assert_eq!(books.differences, Vec::<String>::new());
        assert_eq!(books.routes["rest"].counts.redis, 1);
        assert_eq!(books.routes["rest"].p50_ms, Some(1.5));
        assert_eq!(books.routes["grpc"].p50_ms, None);
    }

    #[test]
    fn a_route_without_votes_a_difference_and_no_verdict_are_differences() {
        let missing = Books::new(&ledger(), &said("", true), &[Route::Grpc]);
        assert_eq!(missing.differences, ["grpc: got no vote"]);
        let difference = r#"{"route":"rest","store":"redis","kind":"count","vote_id":null,"sentence":"odd"}"#;
        let different = Books::new(&ledger(), &said(difference, false), &[]);
        assert_eq!(different.differences, ["odd"]);
        let unknown = Books::new(&ledger(), &said("", false), &[]);
        assert_eq!(unknown.differences, ["1 record is not counted yet"]);
    }
}
