//! A process is paused with its connections open, and continues later.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, routes_through};

pub(super) struct Pause {
    pub(super) server: Server,
    pub(super) duration: Duration,
}

#[async_trait(?Send)]
impl Fault for Pause {
    fn name(&self) -> String {
        format!("pause-{}", self.server)
    }

    fn description(&self) -> String {
        format!(
            "SIGSTOP of {} for {} s, then SIGCONT.",
            self.server,
            self.duration.as_secs_f64()
        )
    }

    async fn inject(&mut self, environment: &TestEnvironment, _: &mut Rng) -> Result<()> {
        let routes = routes_through(self.server);
        let before = environment.client_counts(routes);
        environment.pause(self.server).await?;
        tokio::time::sleep(self.duration).await;
        environment.wait_for_client_failures(routes, &before).await
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.stack().signal(self.server, Signal::CONT)
    }
}
