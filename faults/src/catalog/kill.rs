//! A process ends without warning and is started again with the data it had.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;

use super::{Fault, a_while, routes_through};
use crate::scene::Scene;

const LONGEST_ABSENCE: Duration = Duration::from_secs(2);

pub(super) struct Kill(pub(super) Server);

#[async_trait(?Send)]
impl Fault for Kill {
    fn name(&self) -> String {
        format!("kill-{}", self.0)
    }

    fn sentence(&self) -> String {
        let restart = match self.0 {
            Server::Redis => " Started again from its append-only file.",
            _ => " Started again with its data.",
        };
        format!("SIGKILL of {}.{restart}", self.0)
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        let routes = routes_through(self.0);
        let before = scene.seen(routes);
        scene.kill(self.0).await?;
        tokio::time::sleep(a_while(random, LONGEST_ABSENCE)).await;
        scene.clients_notice(routes, &before).await
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().start_server(self.0).await
    }
}
