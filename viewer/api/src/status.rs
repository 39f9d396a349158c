//! `GET /api/status`: the state of each store.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::cache::Cached;
use crate::compare::Metrics;
use crate::identity::IDENTITY;
use crate::logs::Logs;
use crate::problem::Problem;
use crate::query::Valid;
use crate::reports::Reports;
use crate::tallies::Tallies;

/// How long a response is cached: pages request it every few seconds.
pub(crate) const CACHE_LIFETIME: Duration = Duration::from_secs(2);

/// All stores.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub logs: Logs,
    pub tallies: Tallies,
    pub metrics: Metrics,
    pub reports: Reports,
    pub cached: Cached<Status>,
}

/// The response.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Status {
    version: &'static str,
    logs: StoreStatus,
    tallies: StoreStatus,
    metrics: StoreStatus,
    reports: StoreStatus,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum StoreStatus {
    Ok,
    Unavailable,
    NotConfigured,
}

impl From<Result<(), Problem>> for StoreStatus {
    fn from(outcome: Result<(), Problem>) -> Self {
        match outcome {
            Ok(()) => Self::Ok,
            Err(Problem::NotConfigured(_)) => Self::NotConfigured,
            Err(_) => Self::Unavailable,
        }
    }
}

pub(crate) async fn status(
    State(stores): State<Stores>,
    Valid(()): Valid<()>,
) -> Result<Json<Status>, Problem> {
    let check = || {
        let stores = stores.clone();
        async move { stores.check().await }
    };
    stores.cached.get(check).await.map(Json)
}

impl Stores {
    async fn check(&self) -> Result<Status, Problem> {
        let (logs, tallies, metrics) =
            tokio::join!(self.logs.ping(), self.tallies.ping(), self.metrics.ping());
        Ok(Status {
            version: IDENTITY.version,
            logs: logs.into(),
            tallies: tallies.into(),
            metrics: metrics.into(),
            reports: self.reports.check().into(),
        })
    }
}
