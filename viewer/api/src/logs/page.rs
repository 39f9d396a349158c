//! `GET /api/logs`: one page of the log, newest vote first.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use mongodb::error::Error;
use serde::Serialize;

use super::cursor::Cursor;
use super::filter::Filter;
use super::search::Search;
use super::store::{Logs, is_too_slow, with_timeout};
use super::vote::{Vote, rfc3339_text};
use crate::problem::Problem;
use crate::query::{FromParameters, Parameters, Valid};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 200;
/// A search starts no further step after this time, so that a page arrives within about a second.
const SEARCH_TIME: Duration = Duration::from_millis(800);

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct PageQuery {
    filter: Filter,
    before: Option<Cursor>,
    limit: u32,
}

/// The response.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    votes: Vec<Vote>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
    /// The time up to which the search got, if it stopped before the page was full: the filter matches little. `next`
    /// continues it.
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_until: Option<String>,
}

impl FromParameters for PageQuery {
    fn take(parameters: &mut Parameters) -> Self {
        Self {
            filter: Filter::take(parameters),
            before: parameters.take("before", |text| {
                Cursor::decode(text).ok_or_else(|| "must be the `next` of an earlier page".into())
            }),
            limit: parameters.take_number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
        }
    }
}

pub(crate) async fn page(
    State(logs): State<Logs>,
    Valid(query): Valid<PageQuery>,
) -> Result<Json<Page>, Problem> {
    let _permit = logs.permit()?;
    with_timeout(find(&logs, query)).await.map(Json)
}

async fn find(logs: &Logs, query: PageQuery) -> Result<Page, Error> {
    let started = Instant::now();
    let limit = query.limit as usize;
    let mut search = Search::new(query.filter, query.before);
    let mut votes = Vec::with_capacity(limit);
    let (mut found, mut last, mut has_more) = (0, None, false);
    let is_interrupted = loop {
        // One more vote shows whether there is another page.
        let missing = query.limit + 1 - found;
        let step = search.step(logs, missing, |document| {
            found += 1;
            if found > query.limit {
                has_more = true;
            } else {
                last = Cursor::of(document).or(last.take());
                votes.extend(logs.read(document));
            }
        });
        match step.await {
            Ok(()) if has_more || search.is_complete() => break false,
            // The next page needs a position from which it can continue.
            Ok(()) if started.elapsed() < SEARCH_TIME || search.position().is_none() => {}
            Ok(()) => break true,
            // The steps so far have a result, and the next request starts with a small step.
            Err(error) if is_too_slow(&error) && search.position().is_some() => break true,
            Err(error) => return Err(error),
        }
    };
    let position = if has_more {
        last.as_ref()
    } else {
        search.position()
    };
    Ok(Page {
        votes,
        next: position.map(Cursor::encode),
        searched_until: position
            .filter(|_| is_interrupted)
            .map(|position| rfc3339_text(position.received_at())),
    })
}
