//! A process is killed and started again with its data.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, random_duration, routes_through};

const MAX_DOWNTIME: Duration = Duration::from_secs(2);

pub(super) struct Kill(pub(super) Server);

#[async_trait(?Send)]
impl Fault for Kill {
    fn name(&self) -> String {
        format!("kill-{}", self.0)
    }

    fn description(&self) -> String {
        let restart = match self.0 {
            Server::Redis => " Started again from its append-only file.",
            _ => " Started again with its data.",
        };
        format!("SIGKILL of {}.{restart}", self.0)
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        let routes = routes_through(self.0);
        let before = environment.client_counts(routes);
        environment.kill(self.0).await?;
        tokio::time::sleep(random_duration(random, MAX_DOWNTIME)).await;
        environment.wait_for_client_failures(routes, &before).await
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.stack().start_server(self.0).await
    }
}
