//! Consumers of the same group come and go: 1, 2, 5 and 1 again.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::ports::free_address;
use lab::process::{Identity, Launch, Signal};
use lab::project;

use super::{Fault, a_while};
use crate::scene::Scene;
use crate::wait::until;

/// Above the consumer's own drain timeout.
const STOP_GRACE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct ComeAndGo;

/// A consumer beside the stack's own.
struct Member {
    identity: Identity,
    admin: String,
}

#[async_trait(?Send)]
impl Fault for ComeAndGo {
    fn name(&self) -> String {
        "consumers-come-and-go".to_owned()
    }

    fn sentence(&self) -> String {
        "1, 2, 5 and 1 consumers, all of whom get partitions; of the four that go, two get SIGTERM and two SIGKILL."
            .to_owned()
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        let mut members = vec![Member::start(scene, 2)?];
        share_the_work(scene, &members).await?;
        tokio::time::sleep(a_while(random, LONGEST_PAUSE)).await;
        for number in 3..=5 {
            members.push(Member::start(scene, number)?);
        }
        share_the_work(scene, &members).await?;
        let mut signals = [Signal::TERM, Signal::KILL, Signal::TERM, Signal::KILL];
        random.shuffle(&mut signals);
        for (member, signal) in members.iter().zip(signals) {
            tokio::time::sleep(a_while(random, LONGEST_PAUSE)).await;
            anyhow::ensure!(
                member.identity.stop(signal, STOP_GRACE).await?,
                "a consumer did not end after {signal:?}"
            );
        }
        Ok(())
    }

    async fn heal(&mut self, _: &Scene) -> Result<()> {
        // The last to go was the fault's end: whoever is left has to notice.
        Ok(())
    }
}

impl Member {
    fn start(scene: &Scene, number: u32) -> Result<Self> {
        let admin = free_address()?.to_string();
        let endpoints = scene.endpoints();
        let launch = Launch::new(project::programs()?.join("consumer"))
            .args(["run", "--admin-addr", &admin])
            .args(["--kafka-brokers", &endpoints.kafka])
            .args(["--redis-url", &endpoints.redis])
            .args(["--mongodb-uri", &endpoints.mongodb]);
        let identity = scene
            .stack()
            .stack()
            .spawn(&format!("consumer-{number}"), &launch, &[])?;
        Ok(Self {
            identity,
            admin: format!("http://{admin}"),
        })
    }
}

/// Waits until the stack's consumer and each of `members` has partitions.
async fn share_the_work(scene: &Scene, members: &[Member]) -> Result<()> {
    let admins = members.iter().map(|member| &member.admin);
    for admin in admins.chain([&scene.endpoints().consumer_admin]) {
        until(&format!("the consumer at {admin} has partitions"), async || {
            let metrics = reqwest::get(format!("{admin}/metrics"))
                .await
                .context("asking a consumer")?;
            Ok(metrics.text().await?.contains("\nconsumer_lag_records{"))
        })
        .await?;
    }
    Ok(())
}
