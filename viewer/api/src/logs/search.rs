//! A search of the log for the votes that a filter selects, newest first.
//!
//! The log has one index, by time. A second one would slow down the writes of the consumer. So a filter by route or band
//! reads all documents of its time range: a filter that matches almost nothing would read the whole log in one query.
//! Therefore a search takes steps. Each step first finds the document that ends it, from the index alone, and then
//! queries the documents up to there. The position after a step is exact, also while votes arrive, so a client can
//! continue the search from it.

use std::time::{Duration, Instant};

use mongodb::bson::{Document, RawDocument, doc};
use mongodb::error::Error;

use super::cursor::Cursor;
use super::filter::Filter;
use super::store::{Logs, QUERY_TIMEOUT};

/// Documents of the first step: enough for a page of most filters, and read within milliseconds.
const FIRST_STEP: u64 = 10_000;
/// Documents of the largest step.
const MAX_STEP: u64 = 500_000;
/// The time that a step should take. It is longer if the documents are not in memory.
const STEP_TIME: Duration = Duration::from_millis(200);
/// How much larger a step may be than the previous one.
const MAX_GROWTH: u64 = 4;

/// A search in progress.
#[derive(Debug)]
pub(super) struct Search {
    filter: Filter,
    /// All votes from the start up to here, inclusive, were read.
    position: Option<Cursor>,
    /// Documents of the next step.
    step: u64,
    is_complete: bool,
}

impl Search {
    /// A search that starts after `position`, or at the newest vote.
    pub(super) fn new(filter: Filter, position: Option<Cursor>) -> Self {
        Self {
            filter,
            position,
            step: FIRST_STEP,
            is_complete: false,
        }
    }

    /// Where the search continues. None after the whole log was read.
    pub(super) fn position(&self) -> Option<&Cursor> {
        self.position.as_ref().filter(|_| !self.is_complete)
    }

    /// Whether the whole log was read.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes one step. Passes at most `limit` documents to `visit`; the step ends early after them.
    pub(super) async fn step(
        &mut self,
        logs: &Logs,
        limit: u32,
        mut visit: impl FnMut(&RawDocument),
    ) -> Result<(), Error> {
        let started = Instant::now();
        let end = if self.filter.reads_other_votes() {
            self.find_end(logs).await?
        } else {
            None
        };
        if let (Some(end), Some(position)) = (&end, &self.position)
            && end >= position
        {
            // All documents of the step have the same time as the position. Only a larger step gets past it.
            self.step = self.step.saturating_mul(MAX_GROWTH);
            return Ok(());
        }
        let mut found = 0;
        let mut last = None;
        let mut documents = logs
            .collection()
            .await?
            .find(self.condition(end.as_ref()))
            .sort(newest_first())
            .limit(i64::from(limit))
            .max_time(QUERY_TIMEOUT)
            .await?;
        while documents.advance().await? {
            found += 1;
            last = Cursor::of(documents.current()).or(last);
            visit(documents.current());
        }
        // Fewer documents than requested: all of this step were read.
        let reached = if found < limit { end } else { last };
        self.is_complete = reached.is_none();
        self.position = reached.or(self.position.take());
        self.resize_step(started.elapsed());
        Ok(())
    }

    /// The document that ends the next step. None if the log ends before it. Uses only times, which is not exact: with the
    /// condition on the id, MongoDB would read the documents too.
    async fn find_end(&self, logs: &Logs) -> Result<Option<Cursor>, Error> {
        let until = self
            .position
            .as_ref()
            .map(|position| doc! { "received_at": { "$lte": position.received_at() } });
        let conditions: Vec<_> = [self.filter.time_condition()].into_iter().chain(until).collect();
        let mut documents = logs
            .collection()
            .await?
            .find(doc! { "$and": conditions })
            .sort(newest_first())
            // Both are in the index, so no document is read.
            .projection(doc! { "received_at": 1, "_id": 1 })
            .skip(self.step)
            .limit(1)
            .max_time(QUERY_TIMEOUT)
            .await?;
        Ok(if documents.advance().await? {
            Cursor::of(documents.current())
        } else {
            None
        })
    }

    /// Selects the votes of the filter after the position, up to and including `end`.
    fn condition(&self, end: Option<&Cursor>) -> Document {
        let position = self.position.as_ref().map(Cursor::older);
        let end = end.map(Cursor::and_newer);
        let conditions: Vec<_> = [self.filter.condition()]
            .into_iter()
            .chain(position)
            .chain(end)
            .collect();
        doc! { "$and": conditions }
    }

    fn resize_step(&mut self, duration: Duration) {
        let fitting = self.step as f64 * STEP_TIME.as_secs_f64() / duration.as_secs_f64().max(1e-6);
        let largest = MAX_STEP.min(self.step.saturating_mul(MAX_GROWTH));
        self.step = (fitting as u64).clamp(FIRST_STEP / 10, largest);
    }
}

fn newest_first() -> Document {
    doc! { "received_at": -1, "_id": -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_approaches_the_number_of_documents_that_fit_its_time() {
        let mut search = Search::new(Filter::default(), None);
        for (duration, expected) in [
            (STEP_TIME / 100, 4 * FIRST_STEP),
            (STEP_TIME, 4 * FIRST_STEP),
            (STEP_TIME * 4, FIRST_STEP),
            (STEP_TIME * 100, FIRST_STEP / 10),
        ] {
            search.resize_step(duration);
            assert_eq!(search.step, expected);
        }
        for _ in 0..10 {
            search.resize_step(Duration::ZERO);
        }
        assert_eq!(search.step, MAX_STEP);
    }
}
