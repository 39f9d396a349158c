//! What the clients know: a line for each vote in a file that `consumer reconcile` reads, and counts of what they saw.

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

/// One vote as its sender saw it, in the load driver's format.
#[derive(Debug, Serialize)]
struct Line {
    vote_id: Option<Uuid>,
    route: &'static str,
    ok: bool,
}

/// What the clients of one route, or of all, have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Votes that were sent.
    pub votes: u64,
    /// Those of them that ended without a receipt.
    pub failed: u64,
    /// Attempts that were repeated under the same id.
    pub repeated: u64,
    /// Attempts that were refused at once, for too many votes were in flight.
    pub overloaded: u64,
}

/// The ledger of a stack; all its clients write into it.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    file: BufWriter<File>,
    seen: BTreeMap<Route, Seen>,
}

impl Ledger {
    /// A new ledger in this file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            content: Mutex::new(Content {
                file: BufWriter::new(file),
                seen: BTreeMap::new(),
            }),
        })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes an attempt that will be repeated.
    pub fn repeat(&self, route: Route, outcome: Outcome) {
        let mut content = self.lock();
        let seen = content.seen.entry(route).or_default();
        seen.repeated += 1;
        seen.overloaded += u64::from(outcome == Outcome::Overloaded);
    }

    /// Notes a vote's last attempt, which ends it.
    pub fn end(&self, route: Route, outcome: Outcome) -> Result<()> {
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
        let seen = content.seen.entry(route).or_default();
        seen.votes += 1;
        seen.failed += u64::from(vote_id.is_none());
        seen.overloaded += u64::from(outcome == Outcome::Overloaded);
        Ok(())
    }

    /// What the clients of `route` have seen so far.
    pub fn seen(&self, route: Route) -> Seen {
        self.lock().seen.get(&route).copied().unwrap_or_default()
    }

    /// What all clients have seen so far.
    pub fn seen_by_all(&self) -> Seen {
        Route::ALL.map(|route| self.seen(route)).into_iter().sum()
    }

    /// Makes every line visible to whoever reads the file.
    pub fn flush(&self) -> Result<()> {
        self.lock().file.flush().context("writing the ledger")
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // A panic between two statements leaves a line too few or too many: the books would show it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What was seen since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            votes: self.votes - before.votes,
            failed: self.failed - before.failed,
            repeated: self.repeated - before.repeated,
            overloaded: self.overloaded - before.overloaded,
        }
    }

    /// Attempts that got no receipt.
    pub fn troubles(self) -> u64 {
        self.failed + self.repeated
    }
}

impl std::ops::Add for Seen {
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

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}
