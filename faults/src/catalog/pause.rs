//! A process stands still, with its connections open, and goes on as if nothing had happened.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;

use super::{Fault, routes_through};
use crate::scene::Scene;

pub(super) struct Pause {
    pub(super) server: Server,
    pub(super) lasts: Duration,
}

#[async_trait(?Send)]
impl Fault for Pause {
    fn name(&self) -> String {
        format!("pause-{}", self.server)
    }

    fn sentence(&self) -> String {
        format!(
            "SIGSTOP of {} for {} s, then SIGCONT.",
            self.server,
            self.lasts.as_secs_f64()
        )
    }

    async fn inject(&mut self, scene: &Scene, _: &mut Rng) -> Result<()> {
        let routes = routes_through(self.server);
        let before = scene.seen(routes);
        scene.freeze(self.server).await?;
        tokio::time::sleep(self.lasts).await;
        scene.clients_notice(routes, &before).await
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().signal(self.server, Signal::CONT)
    }
}
