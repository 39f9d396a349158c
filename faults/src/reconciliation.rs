//! The verdict of `consumer reconcile` on everything that was sent to a stack.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use lab::reconcile;
use serde::Deserialize;

use crate::scene::Scene;

/// Differences that are named; the others are of the same kind.
const MOST_SENTENCES: usize = 10;

/// What `consumer reconcile --json` prints, as far as it matters here.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Books {
    /// Whether all is equal.
    pub reconciled: bool,
    /// The counts of each route.
    pub routes: BTreeMap<String, Counts>,
    /// What is not equal.
    pub differences: Vec<Difference>,
}

/// The counts of a route.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Counts {
    /// Votes without a receipt that are in Kafka all the same.
    pub in_doubt: u64,
    /// Acknowledged votes that a store lacks.
    pub lost: u64,
    /// Votes that are counted or written twice.
    pub double: u64,
}

/// One thing that is not equal.
#[derive(Clone, Debug, Deserialize)]
pub struct Difference {
    /// What it is, in words.
    pub sentence: String,
}

impl Books {
    /// Asks the real tool. Errors if it cannot tell.
    pub async fn of(scene: &Scene) -> Result<Self> {
        scene.ledger().flush()?;
        let output = reconcile::command(scene.endpoints(), scene.ledger().path())?
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
        let books: Self =
            serde_json::from_slice(&output.stdout).context("reading what consumer reconcile prints")?;
        anyhow::ensure!(
            books.reconciled == output.status.success(),
            "consumer reconcile contradicts its exit code"
        );
        Ok(books)
    }

    /// Errors with what is different.
    pub fn must_be_equal(&self) -> Result<()> {
        let sentences = self
            .differences
            .iter()
            .map(|difference| difference.sentence.as_str());
        let shown: Vec<&str> = sentences.take(MOST_SENTENCES).collect();
        anyhow::ensure!(
            self.reconciled,
            "the books differ in {} points: {}",
            self.differences.len(),
            shown.join("; ")
        );
        Ok(())
    }

    /// The sum over all routes.
    pub fn total(&self) -> Counts {
        self.routes
            .values()
            .fold(Counts::default(), |sum, route| sum + *route)
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            in_doubt: self.in_doubt + other.in_doubt,
            lost: self.lost + other.lost,
            double: self.double + other.double,
        }
    }
}
