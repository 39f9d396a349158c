//! The list of all faults.

mod kill;
mod kill_between_stores;
mod overload;
mod pause;
mod rebalance;
mod redis_data_loss;
mod short_timeout;
mod stores_reject_writes;

use std::time::Duration;

use lab::servers::Server;

use crate::environment::SERVERS;
use crate::fault::Fault;

/// Every fault, in the order of the result table. `pause` is how long a paused process stays paused.
pub fn all(pause: Duration) -> Vec<Box<dyn Fault>> {
    let mut faults: Vec<Box<dyn Fault>> = Vec::new();
    for server in [Server::Rest, Server::Grpc, Server::Bridge, Server::Consumer] {
        faults.push(Box::new(kill::Kill(server)));
    }
    faults.push(Box::new(
        kill_between_stores::KillWhileRedisRejectsWrites::default(),
    ));
    faults.push(Box::new(kill_between_stores::KillWhileRedisIsPaused::default()));
    for server in [Server::Redis, Server::Mongodb, Server::Kafka] {
        faults.push(Box::new(kill::Kill(server)));
    }
    faults.push(Box::new(redis_data_loss::RedisDataLoss));
    for server in SERVERS {
        faults.push(Box::new(pause::Pause {
            server,
            duration: pause,
        }));
    }
    faults.push(Box::new(rebalance::Rebalance));
    faults.push(Box::new(stores_reject_writes::FullRedis::default()));
    faults.push(Box::new(stores_reject_writes::ReadOnlyRedis));
    faults.push(Box::new(stores_reject_writes::PrimaryStepDown));
    faults.push(Box::new(overload::InFlightLimit::default()));
    faults.push(Box::new(short_timeout::ShortTimeout::default()));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_descriptions_are_sentences() {
        let faults = all(Duration::from_secs(10));
        let names: std::collections::BTreeSet<_> = faults.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), faults.len());
        for fault in faults {
            assert!(fault.description().ends_with('.'), "{}", fault.name());
        }
    }
}
