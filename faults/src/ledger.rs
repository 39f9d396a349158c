//! The ledger of the clients: one line for each vote in a file that `consumer reconcile` reads, and counts of the outcomes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde::Serialize;
use uuid::Uuid;
use vote::Route;

use crate::client::Outcome;

/// One vote and its outcome, in the ledger format of the load generator.
#[derive(Debug, Serialize)]
struct Line {
    vote_id: Option<Uuid>,
    route: &'static str,
    ok: bool,
}

/// Counts of the outcomes that the clients of one route, or of all routes, observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounts {
    /// Votes that were sent.
    pub votes: u64,
    /// Votes that ended without a receipt.
    pub failed: u64,
    /// Attempts that were repeated with the same id.
    pub repeated: u64,
    /// Attempts that were rejected because too many votes were in flight.
    pub overloaded: u64,
}

/// The ledger of a stack. All clients write to it.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    file: BufWriter<File>,
    counts: BTreeMap<Route, ClientCounts>,
}

impl Ledger {
    /// Creates the ledger file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            content: Mutex::new(Content {
                file: BufWriter::new(file),
                counts: BTreeMap::new(),
            }),
        })
    }

    /// The ledger file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records an attempt that the client will repeat.
    pub fn record_repeated(&self, route: Route, outcome: Outcome) {
        let mut content = self.lock();
        let counts = content.counts.entry(route).or_default();
        counts.repeated += 1;
        counts.overloaded += u64::from(outcome == Outcome::Overloaded);
    }

    /// Records the last attempt of a vote.
    pub fn record_final(&self, route: Route, outcome: Outcome) -> Result<()> {
        let vote_id = match outcome {
            Outcome::Receipt(id) => Some(id),
            _ => None,
        };
        let line = Line {
            vote_id,
            route: route.as_str(),
            ok: vote_id.is_some(),
        };
        let mut content = self.lock();
        serde_json::to_writer(&mut content.file, &line)?;
        content.file.write_all(b"\n")?;
        let counts = content.counts.entry(route).or_default();
        counts.votes += 1;
        counts.failed += u64::from(vote_id.is_none());
        counts.overloaded += u64::from(outcome == Outcome::Overloaded);
        Ok(())
    }

    /// The counts of `route` so far.
    pub fn counts(&self, route: Route) -> ClientCounts {
        self.lock().counts.get(&route).copied().unwrap_or_default()
    }

    /// The counts of all routes so far.
    pub fn total_counts(&self) -> ClientCounts {
        Route::ALL.map(|route| self.counts(route)).into_iter().sum()
    }

    /// Writes buffered lines to the file, so that other processes can read them.
    pub fn flush(&self) -> Result<()> {
        self.lock().file.flush().context("writing the ledger")
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // A panic can leave a missing or incomplete line. The reconciliation detects it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientCounts {
    /// The difference to the counts at an earlier time.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            votes: self.votes - before.votes,
            failed: self.failed - before.failed,
            repeated: self.repeated - before.repeated,
            overloaded: self.overloaded - before.overloaded,
        }
    }

    /// Attempts without a receipt.
    pub fn unacknowledged(self) -> u64 {
        self.failed + self.repeated
    }
}

impl std::ops::Add for ClientCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            votes: self.votes + other.votes,
            failed: self.failed + other.failed,
            repeated: self.repeated + other.repeated,
            overloaded: self.overloaded + other.overloaded,
        }
    }
}

impl std::iter::Sum for ClientCounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}
