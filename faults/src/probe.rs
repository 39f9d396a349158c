//! How long the system takes until it is well again: a vote of its own goes through every part of every route.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use vote::Route;

use crate::client::Client;
use crate::load::{Manner, insist, new_id};
use crate::scene::Scene;
use crate::wait::until;

/// A probe asks often: its pauses would otherwise be part of what is measured.
const MANNER: Manner = Manner {
    patience: Duration::from_millis(500),
    pause: Duration::from_millis(40),
};

/// Time since `ended` until on every route a vote sent after that is acknowledged, logged and counted.
pub async fn recovered(scene: &Scene, ended: Instant) -> Result<Duration> {
    try_join_all(Route::ALL.map(|route| probe(scene, route))).await?;
    Ok(ended.elapsed())
}

async fn probe(scene: &Scene, route: Route) -> Result<()> {
    let (client, id) = (Client::new(route, scene.endpoints())?, new_id());
    insist(&client, id, MANNER, scene.ledger()).await?;
    until(&format!("{route}: the probe's vote {id} is logged"), async || {
        scene.is_logged(id).await
    })
    .await?;
    until(
        &format!("{route}: the probe's vote {id} is counted"),
        async || scene.is_counted(id).await,
    )
    .await
}
