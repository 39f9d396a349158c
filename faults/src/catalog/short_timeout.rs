//! Clients with a very short timeout: they send a vote again while the first copy is still in flight.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;
use vote::Route;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, random_duration};
use crate::load::{ClientMix, Load, RetryPolicy};

const MAX_DURATION: Duration = Duration::from_millis(1_500);

const CLIENTS: ClientMix = ClientMix {
    retrying: 16,
    single_attempt: 0,
    interval: Duration::from_millis(50),
    retry_policy: RetryPolicy {
        timeout: Duration::from_millis(30),
        max_pause: Duration::from_millis(10),
    },
};

#[derive(Default)]
pub(super) struct ShortTimeout {
    load: Option<Load>,
    repeats_before: usize,
}

#[async_trait(?Send)]
impl Fault for ShortTimeout {
    fn name(&self) -> String {
        "short-timeout".to_owned()
    }

    fn description(&self) -> String {
        format!(
            "Clients wait {} ms and send the vote again under the same id, while kafka is paused for about a second.",
            CLIENTS.retry_policy.timeout.as_millis()
        )
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        self.repeats_before = repeats_in_kafka(environment).await?;
        self.load = Some(Load::start(CLIENTS, environment.access(), environment.ledger())?);
        let before = environment.client_counts(&Route::ALL);
        environment.pause(Server::Kafka).await?;
        tokio::time::sleep(random_duration(random, MAX_DURATION)).await;
        environment.wait_for_client_failures(&Route::ALL, &before).await
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.stack().signal(Server::Kafka, Signal::CONT)?;
        self.load
            .take()
            .context("the load with the short timeout is not running")?
            .finish()
            .await?;
        let repeats = repeats_in_kafka(environment).await?;
        anyhow::ensure!(
            repeats > self.repeats_before,
            "no vote was written to Kafka twice: the fault had no effect"
        );
        Ok(())
    }
}

/// The number of records in the topic that have the same vote id as an earlier record.
async fn repeats_in_kafka(environment: &TestEnvironment) -> Result<usize> {
    let brokers = environment.access().brokers()?;
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
