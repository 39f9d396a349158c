//! More votes at a time than a route takes in flight.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use vote::Route;

use super::{Fault, a_while};
use crate::load::{Crowd, Load, Manner};
use crate::scene::Scene;
use crate::wait::until;

const LONGEST: Duration = Duration::from_secs(5);

/// Eight times as many as the queue takes, each with the next vote as soon as it has an answer.
const BURST: Crowd = Crowd {
    retrying: 48,
    plain: 16,
    pace: Duration::ZERO,
    manner: Manner {
        patience: Duration::from_secs(1),
        pause: Duration::from_millis(100),
    },
};

#[derive(Default)]
pub(super) struct FullQueue {
    burst: Option<Load>,
}

#[async_trait(?Send)]
impl Fault for FullQueue {
    fn name(&self) -> String {
        "full-queue".to_owned()
    }

    fn sentence(&self) -> String {
        "Each route takes 8 votes in flight, and 64 further clients of each come at once: 429 or RESOURCE_EXHAUSTED."
            .to_owned()
    }

    fn stack_options(&self) -> &'static [&'static str] {
        &["--max-in-flight", "8"]
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        let before = scene.seen(&Route::ALL);
        self.burst = Some(Load::start(BURST, scene.endpoints(), scene.ledger())?);
        for (route, before) in Route::ALL.into_iter().zip(before) {
            until(&format!("{route} refuses at once"), async || {
                Ok(scene.ledger().seen(route).since(before).overloaded > 0)
            })
            .await?;
        }
        tokio::time::sleep(a_while(random, LONGEST)).await;
        Ok(())
    }

    async fn heal(&mut self, _: &Scene) -> Result<()> {
        self.burst
            .take()
            .context("there is no burst to end")?
            .finish()
            .await
    }
}
