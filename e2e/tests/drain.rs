//! SIGTERM under load: each route finishes what it has, exits 0, and no acknowledged vote is lost.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::HashSet;
use std::time::Duration;

use e2e::doors::{Answer, Door, Doors};
use e2e::load::Load;
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use lab::process::Signal;
use lab::servers::Server;

const SERVERS: [Server; 4] = [Server::Kafka, Server::Grpc, Server::Rest, Server::Bridge];
/// What a drain may take here: nothing in these tests takes longer than the deadline of a vote.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_loses_no_acknowledged_vote() {
    let stack = EphemeralStack::start_only(&SERVERS).unwrap();
    let mut acknowledged = HashSet::new();
    for (server, door) in [
        (Server::Rest, Door::RestJson),
        (Server::Bridge, Door::BridgeJson),
        (Server::Grpc, Door::Grpc),
    ] {
        let doors = Doors::open(stack.endpoints()).await.unwrap();
        let load = Load::start(&doors, &[door], 16);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let process = stack.identity(server).unwrap();
        stack.signal(server, Signal::TERM).unwrap();
        tokio::time::timeout(DRAIN_LIMIT, async {
            while process.is_alive() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{server:?} did not exit"));
        let sent = load.finish().await;

        let receipts = sent.iter().filter_map(|(_, answer)| match answer {
            Ok(Answer::Receipt(receipt)) => Some(receipt.vote_id.clone()),
            _ => None,
        });
        let before = acknowledged.len();
        acknowledged.extend(receipts);
        println!(
            "{server:?}: {} sent, {} acknowledged",
            sent.len(),
            acknowledged.len() - before
        );
        assert!(
            acknowledged.len() > before,
            "{server:?} acknowledged nothing before the drain"
        );
        let log = stack.stack().log_tail(server.name());
        assert!(
            log.contains("stopped") && !log.contains("failed"),
            "{server:?} did not end in order:\n{log}"
        );
        stack.start_server(server).await.unwrap();
    }

    let brokers = stack.endpoints().kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let in_kafka: HashSet<_> = records.ids().collect();
    let lost = acknowledged.difference(&in_kafka).count();
    assert_eq!(
        lost,
        0,
        "{lost} of {} acknowledged votes are not in Kafka",
        acknowledged.len()
    );
}
