//! Rebalances: the consumer group grows from 1 to 2 and 5 members, and shrinks to 1.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::http_get::http_get_body;
use lab::ports::{Port, free_address};
use lab::process::{Identity, ProcessSpec, Signal};
use lab::project;
use lab::servers::Server;
use prometheus_parse::Scrape;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, random_duration};
use crate::wait::wait_until;

/// Longer than the drain timeout of the consumer.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Rebalance;

/// A consumer in addition to the one of the stack.
struct Member {
    identity: Identity,
    admin: String,
}

#[async_trait(?Send)]
impl Fault for Rebalance {
    fn name(&self) -> String {
        "consumer-rebalance".to_owned()
    }

    fn description(&self) -> String {
        "The group grows from 1 to 2 and 5 consumers, and each gets partitions; then two leave by SIGTERM and two by SIGKILL."
            .to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        let mut members = vec![Member::start(environment, 2)?];
        wait_until_all_have_partitions(environment, &members).await?;
        tokio::time::sleep(random_duration(random, MAX_PAUSE)).await;
        for number in 3..=5 {
            members.push(Member::start(environment, number)?);
        }
        wait_until_all_have_partitions(environment, &members).await?;
        let mut signals = [Signal::TERM, Signal::KILL, Signal::TERM, Signal::KILL];
        random.shuffle(&mut signals);
        for (member, signal) in members.iter().zip(signals) {
            tokio::time::sleep(random_duration(random, MAX_PAUSE)).await;
            anyhow::ensure!(
                member.identity.stop(signal, STOP_TIMEOUT).await?,
                "a consumer did not exit within {STOP_TIMEOUT:?} after {signal:?}"
            );
        }
        Ok(())
    }

    async fn heal(&mut self, _: &TestEnvironment) -> Result<()> {
        // The fault ends when the last additional consumer exits; the remaining consumer takes over its partitions.
        Ok(())
    }
}

impl Member {
    fn start(environment: &TestEnvironment, number: u32) -> Result<Self> {
        let admin = free_address()?.to_string();
        let spec = ProcessSpec::new(project::programs()?.join("consumer"))
            .args(["run", "--admin-addr", &admin])
            .args(environment.access().admin_tls_options(Server::Consumer))
            .args(environment.access().consumer_options());
        let identity = environment
            .stack()
            .stack()
            .spawn(&format!("consumer-{number}"), &spec, &[])?;
        Ok(Self { identity, admin })
    }
}

/// Waits until the stack's consumer and each of `members` has partitions.
async fn wait_until_all_have_partitions(environment: &TestEnvironment, members: &[Member]) -> Result<()> {
    let access = environment.access();
    let of_stack = access.ports.address(Port::ConsumerAdmin);
    let admins = members.iter().map(|member| &member.admin);
    for admin in admins.chain([&of_stack]) {
        wait_until(&format!("the consumer at {admin} has partitions"), async || {
            let metrics = http_get_body(access, admin, "/metrics")
                .await
                .context("reading the metrics of a consumer")?;
            let text = String::from_utf8_lossy(&metrics);
            let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
            // The gauge has one sample for each assigned partition.
            Ok(scrape
                .samples
                .iter()
                .any(|sample| sample.metric == "consumer_lag_records"))
        })
        .await?;
    }
    Ok(())
}
