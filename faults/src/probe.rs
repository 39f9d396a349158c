//! Measures the recovery time with a probe vote through every part of every route.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use vote::Route;

use crate::client::Client;
use crate::environment::TestEnvironment;
use crate::load::{RetryPolicy, new_id, send_until_acknowledged};
use crate::wait::wait_until;

/// Short pauses, because they add to the measured recovery time.
const RETRY_POLICY: RetryPolicy = RetryPolicy {
    timeout: Duration::from_millis(500),
    max_pause: Duration::from_millis(40),
};

/// Waits until a new vote is acknowledged, logged and counted on every route. Returns the time since `fault_end`.
pub async fn wait_for_recovery(environment: &TestEnvironment, fault_end: Instant) -> Result<Duration> {
    try_join_all(Route::ALL.map(|route| probe(environment, route))).await?;
    Ok(fault_end.elapsed())
}

async fn probe(environment: &TestEnvironment, route: Route) -> Result<()> {
    let (client, id) = (Client::new(route, environment.access())?, new_id());
    send_until_acknowledged(&client, id, RETRY_POLICY, environment.ledger()).await?;
    wait_until(&format!("{route}: the probe vote {id} is logged"), async || {
        environment.is_logged(id).await
    })
    .await?;
    wait_until(&format!("{route}: the probe vote {id} is counted"), async || {
        environment.is_counted(id).await
    })
    .await
}
