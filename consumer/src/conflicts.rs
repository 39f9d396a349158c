//! Reports ids that a client used for two different votes. The first record in the partition counts, and the later one is a
//! duplicate; see docs/adr/0022.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{IntCounter, Registry};
use service::LogLimit;
use service::metrics::counter;
use vote::Route;

use crate::batch::VoteAtOffset;

/// The shortest time between two log lines: a faulty client may use one id for every vote.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The metric and the log lines. Clones share both.
#[derive(Clone, Debug)]
pub struct Conflicts {
    routes: [(Route, IntCounter); Route::ALL.len()],
    log: Arc<LogLimit>,
}

impl Conflicts {
    /// Registers the metric.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let conflicts = counter(
            registry,
            "consumer_conflicting_votes_total",
            "Votes that differ from the counted vote with the same id: a client used one id for two votes",
            &["route"],
        )?;
        Ok(Self {
            routes: Route::ALL.map(|route| (route, conflicts.with_label_values(&[route.as_str()]))),
            log: Arc::new(LogLimit::new(LOG_INTERVAL)),
        })
    }

    /// Counts the votes with these indices, and logs at most one of them.
    pub(crate) fn report(&self, votes: &[VoteAtOffset], indices: &[usize]) {
        let conflicts = indices.iter().filter_map(|&index| votes.get(index));
        for vote in conflicts {
            let counters = self.routes.iter().filter(|(route, _)| *route == vote.event.route);
            counters.for_each(|(_, counter)| counter.inc());
            if let Some(not_logged) = self.log.next(Instant::now()) {
                tracing::warn!(
                    vote_id = %vote.event.vote_id,
                    route = vote.event.route.as_str(),
                    offset = vote.offset,
                    not_logged,
                    trace_id = vote.span_context.as_ref().map(|span| display(span.trace_id())),
                    "a client used the id of a counted vote for another vote, which is not counted; not_logged is the number \
                     of such votes since the last line"
                );
            }
        }
    }
}
