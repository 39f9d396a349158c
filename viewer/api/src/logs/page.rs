//! `GET /api/logs`: one page of the log, newest vote first.

use axum::Json;
use axum::extract::State;
use mongodb::bson::doc;
use serde::Serialize;

use super::cursor::Cursor;
use super::filter::Filter;
use super::store::{Logs, QUERY_TIMEOUT, with_timeout};
use super::vote::Vote;
use crate::problem::Problem;
use crate::query::{FromParameters, Parameters, Valid};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 200;

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

async fn find(logs: &Logs, query: PageQuery) -> Result<Page, mongodb::error::Error> {
    let condition = match &query.before {
        Some(cursor) => query.filter.condition_and(cursor.condition()),
        None => query.filter.condition(),
    };
    let mut cursor = logs
        .collection()
        .await?
        .find(condition)
        .sort(doc! { "received_at": -1, "_id": -1 })
        // One more vote shows whether there is another page.
        .limit(i64::from(query.limit) + 1)
        .max_time(QUERY_TIMEOUT)
        .await?;
    let limit = query.limit as usize;
    let mut votes = Vec::with_capacity(limit);
    let mut found = 0;
    while cursor.advance().await? {
        found += 1;
        if found <= limit {
            votes.extend(logs.read(cursor.current()));
        }
    }
    let next = (found > limit)
        .then(|| votes.last().map(|vote| Cursor::at(vote).encode()))
        .flatten();
    Ok(Page { votes, next })
}
