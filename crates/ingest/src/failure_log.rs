//! Logs why votes failed for a reason on the side of the server (5xx), or because their client was denied: the first vote of
//! a reason at once, further votes as one line with their number each second. An outage under load would otherwise write a
//! line per vote.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TraceId;
use tokio::runtime::Handle;
use vote::Route;

use crate::{IngestError, Outcome};

/// Time between two summaries.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of reasons that are counted apart; the text of a reason can contain anything.
const MAX_REASONS: usize = 8;
const OTHER_REASONS: &str = "other reasons";

/// The failures of one route.
#[derive(Debug)]
pub(crate) struct FailureLog {
    route: Route,
    recent: Arc<Mutex<Recent>>,
}

/// The reasons of the last interval. A task writes their summaries while there are any.
#[derive(Debug, Default)]
struct Recent {
    failures: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    outcome: Outcome,
    reason: Box<str>,
    /// Votes that no line has counted yet.
    votes: u64,
}

impl FailureLog {
    pub(crate) fn new(route: Route) -> Self {
        Self {
            route,
            recent: Arc::default(),
        }
    }

    /// Counts a vote without a receipt; `trace_id` is its trace, if there is one. Other errors of the client and overload are
    /// not logged: the client has the reason, and the metrics have the number.
    pub(crate) fn record(&self, error: &IngestError, trace_id: Option<TraceId>) {
        let mapping = error.mapping();
        if mapping.status < 500 && mapping.outcome != Outcome::Denied {
            return;
        }
        let mut recent = lock(&self.recent);
        let had_failures = !recent.failures.is_empty();
        let Some(new_reason) = recent.count(mapping.outcome, error.reason()) else {
            return;
        };
        drop(recent);
        log(self.route, mapping.outcome, new_reason, 1, trace_id);
        if had_failures {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(write_summaries(self.route, Arc::clone(&self.recent)))),
            // Without a runtime there are no summaries, so every failure is a first one.
            Err(_) => lock(&self.recent).failures.clear(),
        }
    }
}

/// Votes that are not in a summary yet.
impl Drop for FailureLog {
    fn drop(&mut self) {
        log_counts(self.route, &mut lock(&self.recent));
    }
}

impl Recent {
    /// Counts a vote. Returns the reason if it is new, so that the caller logs the vote at once.
    fn count<'a>(&mut self, outcome: Outcome, reason: &'a str) -> Option<&'a str> {
        let is_full = self.failures.len() >= MAX_REASONS;
        let find = |failures: &[Failure], reason: &str| {
            failures
                .iter()
                .position(|failure| failure.outcome == outcome && *failure.reason == *reason)
        };
        let (reason, known) = match find(&self.failures, reason) {
            None if is_full => (OTHER_REASONS, find(&self.failures, OTHER_REASONS)),
            known => (reason, known),
        };
        if let Some(failure) = known.and_then(|index| self.failures.get_mut(index)) {
            failure.votes += 1;
            return None;
        }
        self.failures.push(Failure {
            outcome,
            reason: reason.into(),
            votes: 0,
        });
        Some(reason)
    }
}

/// Writes a summary each interval, until an interval has no failure.
async fn write_summaries(route: Route, recent: Arc<Mutex<Recent>>) {
    loop {
        tokio::time::sleep(SUMMARY_INTERVAL).await;
        let mut recent = lock(&recent);
        if !log_counts(route, &mut recent) {
            recent.failures.clear();
            return;
        }
    }
}

/// Logs the votes that no line has counted yet. Returns whether there were any.
fn log_counts(route: Route, recent: &mut Recent) -> bool {
    let mut any = false;
    for failure in &mut recent.failures {
        let votes = mem::take(&mut failure.votes);
        if votes > 0 {
            any = true;
            log(route, failure.outcome, &failure.reason, votes, None);
        }
    }
    any
}

/// `trace_id` is the trace of the vote, if the line is about one.
fn log(route: Route, outcome: Outcome, reason: &str, votes: u64, trace_id: Option<TraceId>) {
    let (route, outcome_name) = (route.as_str(), outcome.as_str());
    let trace_id = trace_id.map(tracing::field::display);
    if outcome == Outcome::Internal {
        tracing::error!(
            route,
            outcome = outcome_name,
            votes,
            reason,
            trace_id,
            "votes failed"
        );
    } else {
        tracing::warn!(
            route,
            outcome = outcome_name,
            votes,
            reason,
            trace_id,
            "votes failed"
        );
    }
}

fn lock(recent: &Mutex<Recent>) -> MutexGuard<'_, Recent> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}
