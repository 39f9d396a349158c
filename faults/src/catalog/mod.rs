//! The faults, a file for each family.

mod between;
mod client;
mod consumers;
mod kill;
mod overload;
mod pause;
mod stores;
mod tail;

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;
use vote::Route;

use crate::scene::{SERVERS, Scene};

/// Something that goes wrong, and is mended.
#[async_trait(?Send)]
pub trait Fault {
    /// Its name, for `--only` and in the table.
    fn name(&self) -> String;

    /// What it does.
    fn sentence(&self) -> String;

    /// Options of `lab up` that its stack needs.
    fn stack_options(&self) -> &'static [&'static str] {
        &[]
    }

    /// Makes it happen, lets it last, and proves that it is there: a fault that does nothing is an error.
    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()>;

    /// Ends it. Recovery is measured from here.
    async fn heal(&mut self, scene: &Scene) -> Result<()>;
}

/// Every fault, in the order of the table. `pause`: how long a process stands still.
pub fn all(pause: Duration) -> Vec<Box<dyn Fault>> {
    let mut faults: Vec<Box<dyn Fault>> = Vec::new();
    for server in [Server::Rest, Server::Grpc, Server::Bridge, Server::Consumer] {
        faults.push(Box::new(kill::Kill(server)));
    }
    faults.push(Box::new(between::RedisRefuses::default()));
    faults.push(Box::new(between::RedisStands::default()));
    for server in [Server::Redis, Server::Mongodb, Server::Kafka] {
        faults.push(Box::new(kill::Kill(server)));
    }
    faults.push(Box::new(tail::RedisForgets));
    for server in SERVERS {
        faults.push(Box::new(pause::Pause { server, lasts: pause }));
    }
    faults.push(Box::new(consumers::ComeAndGo));
    faults.push(Box::new(stores::FullRedis::default()));
    faults.push(Box::new(stores::ReadOnlyRedis));
    faults.push(Box::new(stores::SteppedDown));
    faults.push(Box::new(overload::FullQueue::default()));
    faults.push(Box::new(client::Impatient::default()));
    faults
}

/// The routes whose clients cannot get a receipt without this server.
const fn routes_through(server: Server) -> &'static [Route] {
    match server {
        Server::Rest => &[Route::Rest],
        Server::Bridge => &[Route::Bridge],
        Server::Grpc => &[Route::Grpc, Route::Bridge],
        Server::Kafka => &Route::ALL,
        _ => &[],
    }
}

/// A random time up to `limit`, and not so short that nobody would notice.
fn a_while(random: &mut Rng, limit: Duration) -> Duration {
    limit.mul_f64(0.2 + 0.8 * random.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_sentences_are_sentences() {
        let faults = all(Duration::from_secs(10));
        let names: std::collections::BTreeSet<_> = faults.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), faults.len());
        for fault in faults {
            assert!(fault.sentence().ends_with('.'), "{}", fault.name());
        }
    }
}
