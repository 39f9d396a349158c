//! `GET /api/tallies` and `GET /api/bands`: the counts in Redis.

use std::sync::Arc;
use std::time::Duration;

use ::tallies::{Overview, ReconnectingConnection, RedisServer};
use axum::Json;
use axum::extract::State;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{RedisError, RedisResult};
use serde::Serialize;

use crate::cache::Cached;
use crate::logs::Logs;
use crate::problem::{Problem, Store};
use crate::query::{FromParameters, Parameters, Valid};

const MAX_TOP: u32 = 100;
/// Maximum number of names in the list of bands: people do not scroll through more.
const MAX_BANDS: usize = 500;
/// How long a response is cached: the live bars change twice a second.
const CACHE_LIFETIME: Duration = Duration::from_millis(500);
/// How long Redis may take to connect and to answer.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Limit for one request with all its attempts.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Repeated attempts to connect before a response reports that Redis is unavailable. The next request tries again.
const RETRIES: usize = 1;

/// The counts. Clones share the connection and the cache.
#[derive(Clone, Debug)]
pub(crate) struct Tallies {
    /// None if Redis is not configured.
    connection: Option<Arc<ReconnectingConnection>>,
    cached: Cached<Arc<Overview>>,
}

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct TalliesQuery {
    /// How many bands and albums to return.
    top: u32,
}

/// The response.
#[derive(Debug, Serialize)]
pub(crate) struct TalliesResponse {
    total: u64,
    bands: Vec<Band>,
    albums: Vec<TopAlbum>,
    routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
struct Band {
    name: String,
    votes: u64,
}

#[derive(Debug, Serialize)]
struct TopAlbum {
    /// The field in Redis, which is unique: "band - album", where ` - ` and backslashes of the band are escaped.
    label: String,
    band: String,
    album: String,
    votes: u64,
}

#[derive(Debug, Serialize)]
struct Route {
    route: String,
    votes: u64,
}

impl Tallies {
    /// Connects at the first query. Without a server, every query fails with [`Problem::NotConfigured`].
    pub(crate) fn new(server: Option<RedisServer>) -> anyhow::Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(RETRIES);
        let connection = server.map(|server| ReconnectingConnection::new(server, config));
        Ok(Self {
            connection: connection.transpose()?.map(Arc::new),
            cached: Cached::new(CACHE_LIFETIME),
        })
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), Problem> {
        let ping = async |mut redis: ConnectionManager| redis::cmd("PING").query_async(&mut redis).await;
        self.query(ping).await
    }

    async fn counts(&self) -> Result<Arc<Overview>, Problem> {
        let load = || {
            let tallies = self.clone();
            async move { tallies.read().await.map(Arc::new) }
        };
        self.cached.get(load).await
    }

    async fn read(&self) -> Result<Overview, Problem> {
        self.query(async |mut redis: ConnectionManager| {
            Overview::read(&mut redis, MAX_BANDS, MAX_TOP as usize).await
        })
        .await
    }

    /// Runs a query within [`TOTAL_TIMEOUT`]. The driver's own limits apply to a single attempt.
    async fn query<T>(
        &self,
        query: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Result<T, Problem> {
        let connection = self
            .connection
            .as_ref()
            .ok_or(Problem::NotConfigured(Store::Tallies))?;
        let Ok(result) = tokio::time::timeout(TOTAL_TIMEOUT, query(connection.get())).await else {
            tracing::warn!("Redis did not answer a query within {TOTAL_TIMEOUT:?}");
            return Err(Problem::Unavailable(Store::Tallies));
        };
        connection.checked(result).map_err(|error| problem(&error))
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
) -> Result<Json<TalliesResponse>, Problem> {
    let counts = tallies.counts().await?;
    let top = query.top as usize;
    let bands = counts.bands.iter().take(top);
    let albums = counts.albums.iter().take(top);
    Ok(Json(TalliesResponse {
        total: counts.total,
        bands: bands
            .map(|(name, votes)| Band {
                name: name.clone(),
                votes: *votes,
            })
            .collect(),
        albums: albums
            .map(|album| TopAlbum {
                label: album.field.clone(),
                band: album.name.band.clone(),
                album: album.name.album.clone(),
                votes: album.votes,
            })
            .collect(),
        routes: counts
            .routes
            .iter()
            .map(|(route, votes)| Route {
                route: route.clone(),
                votes: *votes,
            })
            .collect(),
    }))
}

/// The names of bands for the filter, in alphabetical order. Of more than [`MAX_BANDS`], those with the most votes.
pub(crate) async fn bands(
    State(tallies): State<Tallies>,
    State(logs): State<Logs>,
    Valid(()): Valid<()>,
) -> Result<Json<Vec<String>>, Problem> {
    let Ok(counts) = tallies.counts().await else {
        let names = logs.bands(MAX_BANDS as i64).await?;
        return Ok(Json(names.to_vec()));
    };
    let names = counts.bands.iter().take(MAX_BANDS);
    let mut names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
    names.sort();
    Ok(Json(names))
}

fn problem(error: &RedisError) -> Problem {
    tracing::warn!(%error, "Redis did not answer a query");
    Problem::Unavailable(Store::Tallies)
}
