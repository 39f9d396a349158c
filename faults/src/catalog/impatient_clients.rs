//! Clients without patience: they send a vote again while its first copy is still on its way.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;
use vote::Route;

use super::{Fault, a_while};
use crate::load::{Crowd, Load, Manner};
use crate::scene::Scene;

const LONGEST: Duration = Duration::from_millis(1_500);

const CROWD: Crowd = Crowd {
    retrying: 16,
    plain: 0,
    pace: Duration::from_millis(50),
    manner: Manner {
        patience: Duration::from_millis(30),
        pause: Duration::from_millis(10),
    },
};

#[derive(Default)]
pub(super) struct Impatient {
    crowd: Option<Load>,
    repeats_before: usize,
}

#[async_trait(?Send)]
impl Fault for Impatient {
    fn name(&self) -> String {
        "impatient-client".to_owned()
    }

    fn sentence(&self) -> String {
        format!(
            "Clients wait {} ms and send the vote again under the same id, while kafka stands still for about a second.",
            CROWD.manner.patience.as_millis()
        )
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        self.repeats_before = repeats_in_kafka(scene).await?;
        self.crowd = Some(Load::start(CROWD, scene.endpoints(), scene.ledger())?);
        let before = scene.seen(&Route::ALL);
        scene.freeze(Server::Kafka).await?;
        tokio::time::sleep(a_while(random, LONGEST)).await;
        scene.clients_notice(&Route::ALL, &before).await
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().signal(Server::Kafka, Signal::CONT)?;
        self.crowd
            .take()
            .context("there is no crowd to end")?
            .finish()
            .await?;
        let repeats = repeats_in_kafka(scene).await?;
        anyhow::ensure!(
            repeats > self.repeats_before,
            "no vote was written to Kafka twice: there was nothing to count once"
        );
        Ok(())
    }
}

/// How many records of the topic repeat the vote of another.
async fn repeats_in_kafka(scene: &Scene) -> Result<usize> {
    let brokers = scene.endpoints().kafka.clone();
    let count = move || {
        let (mut ids, mut repeats) = (HashSet::new(), 0);
        kafka::scan(&brokers, "votes", |record| {
            repeats += usize::from(!ids.insert(record.key.clone()));
        })?;
        anyhow::Ok(repeats)
    };
    tokio::task::spawn_blocking(count)
        .await
        .context("reading Kafka")?
}
