//! The interface of a fault, and helpers for several faults.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;
use vote::Route;

use crate::environment::TestEnvironment;

/// A fault that can be injected into a running stack and healed again.
#[async_trait(?Send)]
pub trait Fault {
    /// The name, for `--only` and in the table.
    fn name(&self) -> String;

    /// One sentence that describes the fault.
    fn description(&self) -> String;

    /// Options of `lab up` that the stack of this fault needs.
    fn stack_options(&self) -> &'static [&'static str] {
        &[]
    }

    /// Injects the fault and keeps it active for a while. Returns an error if the fault had no visible effect.
    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()>;

    /// Ends the fault. The recovery time starts here.
    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()>;
}

/// The routes whose clients cannot get a receipt without this server.
pub(crate) const fn routes_through(server: Server) -> &'static [Route] {
    match server {
        Server::Rest => &[Route::Rest],
        Server::Bridge => &[Route::Bridge],
        Server::Grpc => &[Route::Grpc, Route::Bridge],
        Server::Kafka => &Route::ALL,
        _ => &[],
    }
}

/// A random time between a fifth of `limit` and `limit`. A shorter fault could end before any client notices it.
pub(crate) fn random_duration(random: &mut Rng, limit: Duration) -> Duration {
    limit.mul_f64(0.2 + 0.8 * random.f64())
}
