//! A search of the log for the votes that a filter selects, newest first.
//!
//! The log is in the order of time. An index by band or route would slow down the writes of the consumer. So a filter by band
//! or route reads all documents of its time range: a filter that matches almost nothing would read the whole log in one query.
//! Therefore a search takes steps. Each step reads the documents of a span of time. The position after a step is exact, also
//! while votes arrive, so a client can continue the search from it.

use std::time::{Duration, Instant};

use mongodb::bson::{DateTime, Document, RawDocument, doc};
use mongodb::error::Error;

use super::cursor::Cursor;
use super::filter::Filter;
use super::key_range::KeyRange;
use super::store::{Logs, QUERY_TIMEOUT, is_too_slow};

/// The span of the first step: read within a fraction of a second, even if the system works at its limit.
const FIRST_SPAN: Duration = Duration::from_secs(1);
/// The time that a step should take.
const STEP_TIME: Duration = Duration::from_millis(200);
/// The time after which a step is given up, and taken again with a shorter span: the votes of its span are many, or not in
/// memory.
const MAX_STEP_TIME: Duration = Duration::from_millis(600);
const MIN_SPAN: Duration = Duration::from_millis(1);
/// Longer than any log. It keeps the calculation of the next span within the limits of `Duration`.
const MAX_SPAN: Duration = Duration::from_hours(100 * 365 * 24);
/// How much longer a span may be than the previous one. Long spans without votes are passed in few steps.
const MAX_GROWTH: u32 = 8;

/// A search in progress.
#[derive(Debug)]
pub(super) struct Search {
    filter: Filter,
    /// All votes from the start down to here were read, including the vote at this position.
    position: Option<Cursor>,
    /// The time of the oldest vote that the filter can select; None until it is known.
    oldest: Option<DateTime>,
    /// The span of the next step.
    span: Duration,
    is_complete: bool,
}

impl Search {
    /// A search that starts after `position`, or at the newest vote.
    pub(super) fn new(filter: Filter, position: Option<Cursor>) -> Self {
        Self {
            filter,
            position,
            oldest: None,
            span: FIRST_SPAN,
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
        visit: impl FnMut(&RawDocument),
    ) -> Result<(), Error> {
        let started = Instant::now();
        let stepped = self.try_step(logs, limit, visit).await;
        self.resize_span(started.elapsed());
        match stepped {
            Err(error) if is_too_slow(&error) && self.span > MIN_SPAN && self.filter.reads_other_votes() => {
                Ok(())
            }
            stepped => stepped,
        }
    }

    async fn try_step(
        &mut self,
        logs: &Logs,
        limit: u32,
        visit: impl FnMut(&RawDocument),
    ) -> Result<(), Error> {
        let start = if self.filter.reads_other_votes() {
            self.start_of_step(logs).await?
        } else {
            None
        };
        let max_time = if self.filter.reads_other_votes() {
            MAX_STEP_TIME
        } else {
            QUERY_TIMEOUT
        };
        let mut cursor = logs
            .collection()
            .await?
            .find(
                self.filter
                    .condition(self.remaining().since(start.map(Cursor::key))),
            )
            .sort(newest_first())
            .limit(i64::from(limit))
            .max_time(max_time)
            .await?;
        // A step that is given up must not have passed on documents, because they are read again.
        let mut documents = Vec::new();
        while cursor.advance().await? {
            documents.push(cursor.current().to_owned());
        }
        let last = documents.iter().rev().find_map(|document| Cursor::of(document));
        // Fewer documents than requested: all of this step were read.
        let reached = if documents.len() < limit as usize {
            start
        } else {
            last
        };
        self.is_complete = reached.is_none();
        self.position = reached.or(self.position);
        documents.iter().map(AsRef::as_ref).for_each(visit);
        Ok(())
    }

    /// The position that ends the next step. None if the step reads all the rest of the log.
    async fn start_of_step(&mut self, logs: &Logs) -> Result<Option<Cursor>, Error> {
        let Some(oldest) = self.oldest(logs).await? else {
            return Ok(None);
        };
        let newest = match self.position {
            Some(position) => position.received_at(),
            None => match self.end_of_range(logs, -1).await? {
                Some(newest) => newest,
                None => return Ok(None),
            },
        };
        let span = i64::try_from(self.span.as_millis()).unwrap_or(i64::MAX);
        let start = newest.timestamp_millis().saturating_sub(span);
        Ok((start > oldest.timestamp_millis()).then(|| Cursor::at_start_of(DateTime::from_millis(start))))
    }

    /// The time of the oldest vote in the time range of the filter. None if there is no vote.
    async fn oldest(&mut self, logs: &Logs) -> Result<Option<DateTime>, Error> {
        if self.oldest.is_none() {
            self.oldest = self.end_of_range(logs, 1).await?;
        }
        Ok(self.oldest)
    }

    /// The time of the first vote of the remaining range in this order of keys: 1 for the oldest vote, -1 for the newest.
    async fn end_of_range(&self, logs: &Logs, order: i32) -> Result<Option<DateTime>, Error> {
        let mut documents = logs
            .collection()
            .await?
            .find(self.remaining().condition())
            .sort(doc! { "_id": order })
            .projection(doc! { "_id": 1 })
            .limit(1)
            .max_time(QUERY_TIMEOUT)
            .await?;
        Ok(if documents.advance().await? {
            Cursor::of(documents.current()).map(Cursor::received_at)
        } else {
            None
        })
    }

    /// The keys of the time range that were not read yet.
    fn remaining(&self) -> KeyRange {
        self.filter.keys().before(self.position.map(Cursor::key))
    }

    fn resize_span(&mut self, duration: Duration) {
        let fitting = self
            .span
            .mul_f64(STEP_TIME.as_secs_f64() / duration.as_secs_f64().max(1e-3));
        let longest = (self.span * MAX_GROWTH).min(MAX_SPAN);
        self.span = fitting.clamp(MIN_SPAN, longest);
    }
}

fn newest_first() -> Document {
    doc! { "_id": -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_approaches_the_one_that_takes_the_time_of_a_step() {
        let mut search = Search::new(Filter::default(), None);
        for (duration, expected) in [
            (STEP_TIME / 100, FIRST_SPAN * MAX_GROWTH),
            (STEP_TIME, FIRST_SPAN * MAX_GROWTH),
            (STEP_TIME * 4, FIRST_SPAN * MAX_GROWTH / 4),
        ] {
            search.resize_span(duration);
            assert_eq!(search.span, expected);
        }
        for _ in 0..100 {
            search.resize_span(Duration::ZERO);
        }
        assert_eq!(search.span, MAX_SPAN);
        for _ in 0..100 {
            search.resize_span(STEP_TIME * 100);
        }
        assert_eq!(search.span, MIN_SPAN);
    }
}
