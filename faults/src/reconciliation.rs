//! Runs `consumer reconcile` on all votes that were sent to a stack.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use lab::consumer_reconcile;
use serde::Deserialize;

use crate::environment::TestEnvironment;

/// Differences that an error lists. More would hide the other output.
const MAX_LISTED_DIFFERENCES: usize = 10;

/// The output of `consumer reconcile --json`, reduced to the fields that the suite needs.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Reconciliation {
    /// Whether the counts reconcile.
    pub reconciled: bool,
    /// The counts of each route.
    pub routes: BTreeMap<String, RouteCounts>,
    /// Every difference.
    pub differences: Vec<Difference>,
}

/// The counts of a route.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct RouteCounts {
    /// Votes without a receipt that are in Kafka.
    pub in_doubt: u64,
    /// Acknowledged votes that are missing in a store.
    pub lost: u64,
    /// Votes that are counted or logged twice.
    pub double: u64,
}

/// One difference between two stores.
#[derive(Clone, Debug, Deserialize)]
pub struct Difference {
    /// The difference as a sentence.
    pub sentence: String,
}

impl Reconciliation {
    /// Runs the command. Returns an error if it cannot complete the comparison.
    pub async fn run(environment: &TestEnvironment) -> Result<Self> {
        environment.ledger().flush()?;
        let output = consumer_reconcile::command(environment.access(), environment.ledger().path())?
            .args(["--json", "--tolerate-failed"])
            .output()
            .await
            .context("running consumer reconcile")?;
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!(
                "consumer reconcile: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let reconciliation: Self =
            serde_json::from_slice(&output.stdout).context("reading the output of consumer reconcile")?;
        anyhow::ensure!(
            reconciliation.reconciled == output.status.success(),
            "the output of consumer reconcile contradicts its exit code"
        );
        Ok(reconciliation)
    }

    /// Returns an error that lists the first differences if the counts do not reconcile.
    pub fn ensure_reconciled(&self) -> Result<()> {
        let sentences = self
            .differences
            .iter()
            .map(|difference| difference.sentence.as_str());
        let shown: Vec<&str> = sentences.take(MAX_LISTED_DIFFERENCES).collect();
        anyhow::ensure!(
            self.reconciled,
            "the counts do not reconcile, {} differences: {}",
            self.differences.len(),
            shown.join("; ")
        );
        Ok(())
    }

    /// The sum over all routes.
    pub fn total(&self) -> RouteCounts {
        self.routes
            .values()
            .fold(RouteCounts::default(), |sum, route| sum + *route)
    }
}

impl std::ops::Add for RouteCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            in_doubt: self.in_doubt + other.in_doubt,
            lost: self.lost + other.lost,
            double: self.double + other.double,
        }
    }
}
