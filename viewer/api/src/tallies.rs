//! `GET /api/tallies` and `GET /api/bands`: the counts in Redis.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError};
use serde::Serialize;

use crate::cache::Cached;
use crate::logs::Logs;
use crate::problem::{Problem, Store};
use crate::query::{FromParameters, Parameters, Valid};

// The keys that the consumer writes.
const TOTAL: &str = "{votes}:total";
const BAND: &str = "{votes}:band";
const ALBUM: &str = "{votes}:album";
const ROUTE: &str = "{votes}:route";

const MAX_TOP: u32 = 100;
/// Names in the list of bands: more of them, nobody scrolls through.
const MAX_BANDS: usize = 500;
/// How long an answer is good for: live bars move twice a second.
const LIFETIME: Duration = Duration::from_millis(500);
/// How long Redis may take to accept and to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Attempts to connect before an answer says that Redis is away; the next request tries again.
const RETRIES: usize = 1;

/// The counts.
#[derive(Clone, Debug)]
pub(crate) struct Tallies {
    client: Option<Client>,
    connection: Arc<Mutex<Option<ConnectionManager>>>,
    cached: Cached<Arc<Counts>>,
}

/// All counts at one moment, the largest first.
#[derive(Debug)]
struct Counts {
    total: u64,
    bands: Vec<(String, u64)>,
    albums: Vec<(String, u64)>,
    routes: Vec<(String, u64)>,
}

/// How much of it a client wants.
#[derive(Debug)]
pub(crate) struct TalliesQuery {
    top: u32,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct TalliesAnswer {
    total: u64,
    bands: Vec<Band>,
    albums: Vec<Album>,
    routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
struct Band {
    name: String,
    votes: u64,
}

#[derive(Debug, Serialize)]
struct Album {
    /// "band - album".
    label: String,
    votes: u64,
}

#[derive(Debug, Serialize)]
struct Route {
    route: String,
    votes: u64,
}

impl Tallies {
    /// Connects when it is first asked.
    pub(crate) fn new(client: Option<Client>) -> Self {
        Self {
            client,
            connection: Arc::default(),
            cached: Cached::new(LIFETIME),
        }
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), Problem> {
        let mut connection = self.connection()?;
        let ping = redis::cmd("PING");
        self.in_time(ping.query_async::<()>(&mut connection)).await
    }

    async fn counts(&self) -> Result<Arc<Counts>, Problem> {
        self.cached
            .get(|| async { self.read().await.map(Arc::new) })
            .await
    }

    async fn read(&self) -> Result<Counts, Problem> {
        type Hash = HashMap<String, u64>;
        let mut connection = self.connection()?;
        let mut commands = redis::pipe();
        // One moment: the sums of bands and of routes agree.
        commands.atomic();
        commands.get(TOTAL).hgetall(BAND).hgetall(ALBUM).hgetall(ROUTE);
        let answer = commands.query_async::<(Option<u64>, Hash, Hash, Hash)>(&mut connection);
        let (total, bands, albums, routes) = self.in_time(answer).await?;
        Ok(Counts {
            total: total.unwrap_or_default(),
            bands: descending(bands),
            albums: descending(albums),
            routes: descending(routes),
        })
    }

    fn connection(&self) -> Result<ConnectionManager, Problem> {
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let client = self
            .client
            .as_ref()
            .ok_or(Problem::NotConfigured(Store::Tallies))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(RETRIES);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)
            .map_err(|error| problem(&error))?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Problem> {
        // Beyond the driver's own limits, which hold for one attempt each.
        let Ok(answer) = tokio::time::timeout(PATIENCE * 3, answer).await else {
            return Err(Problem::Unavailable(Store::Tallies));
        };
        answer.map_err(|error| {
            // The manager mends what breaks, but would keep a connection that was refused, and Redis may learn the password
            // later than its clients.
            if error.kind() == ErrorKind::AuthenticationFailed {
                *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            problem(&error)
        })
    }
}

impl FromParameters for TalliesQuery {
    fn take(parameters: &mut Parameters) -> Self {
        Self {
            top: parameters.take_number("top", 1, MAX_TOP, MAX_TOP),
        }
    }
}

pub(crate) async fn tallies(
    State(tallies): State<Tallies>,
    Valid(query): Valid<TalliesQuery>,
) -> Result<Json<TalliesAnswer>, Problem> {
    let counts = tallies.counts().await?;
    let top = |counts: &[(String, u64)]| {
        let top = counts.iter().take(query.top as usize);
        top.cloned().collect::<Vec<_>>()
    };
    let bands = top(&counts.bands).into_iter();
    let albums = top(&counts.albums).into_iter();
    let routes = counts.routes.iter().cloned();
    Ok(Json(TalliesAnswer {
        total: counts.total,
        bands: bands.map(|(name, votes)| Band { name, votes }).collect(),
        albums: albums.map(|(label, votes)| Album { label, votes }).collect(),
        routes: routes.map(|(route, votes)| Route { route, votes }).collect(),
    }))
}

/// Names of bands for the filter, in order; with more than [`MAX_BANDS`], those with the most votes.
pub(crate) async fn bands(
    State(tallies): State<Tallies>,
    State(logs): State<Logs>,
    Valid(()): Valid<()>,
) -> Result<Json<Vec<String>>, Problem> {
    let Ok(counts) = tallies.counts().await else {
        return logs.bands(MAX_BANDS as i64).await.map(Json);
    };
    let names = counts.bands.iter().take(MAX_BANDS);
    let mut names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
    names.sort();
    Ok(Json(names))
}

/// The largest first; equal ones by name, so that bars do not jump.
fn descending(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(one, ones), (other, others)| (Reverse(ones), one).cmp(&(Reverse(others), other)));
    counts
}

fn problem(error: &RedisError) -> Problem {
    tracing::warn!(%error, "Redis did not answer");
    Problem::Unavailable(Store::Tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equal_ones_in_order() {
        let counts = [("c", 1), ("a", 1), ("b", 5)].map(|(name, votes)| (name.to_owned(), votes));
        let sorted = descending(counts.into());
        let names: Vec<&str> = sorted.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }
}
