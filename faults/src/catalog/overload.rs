//! More concurrent votes than a route accepts.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use vote::Route;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, random_duration};
use crate::load::{ClientMix, Load, RetryPolicy};
use crate::wait::wait_until;

const MAX_DURATION: Duration = Duration::from_secs(5);

/// Eight times as many clients as the limit of votes in flight. Each sends the next vote as soon as it has a response.
const BURST: ClientMix = ClientMix {
    retrying: 48,
    single_attempt: 16,
    interval: Duration::ZERO,
    retry_policy: RetryPolicy {
        timeout: Duration::from_secs(1),
        max_pause: Duration::from_millis(100),
    },
};

#[derive(Default)]
pub(super) struct InFlightLimit {
    burst: Option<Load>,
}

#[async_trait(?Send)]
impl Fault for InFlightLimit {
    fn name(&self) -> String {
        "in-flight-limit".to_owned()
    }

    fn description(&self) -> String {
        "Each route accepts 8 votes in flight, and 64 more clients for each route send without a pause: 429 or RESOURCE_EXHAUSTED."
            .to_owned()
    }

    fn stack_options(&self) -> &'static [&'static str] {
        &["--max-in-flight", "8"]
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        let before = environment.client_counts(&Route::ALL);
        self.burst = Some(Load::start(BURST, environment.access(), environment.ledger())?);
        for (route, before) in Route::ALL.into_iter().zip(before) {
            wait_until(&format!("{route} rejects votes for overload"), async || {
                Ok(environment.ledger().counts(route).since(before).overloaded > 0)
            })
            .await?;
        }
        tokio::time::sleep(random_duration(random, MAX_DURATION)).await;
        Ok(())
    }

    async fn heal(&mut self, _: &TestEnvironment) -> Result<()> {
        self.burst
            .take()
            .context("the burst is not running")?
            .finish()
            .await
    }
}
