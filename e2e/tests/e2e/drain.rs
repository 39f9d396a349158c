//! SIGTERM under load: each service completes its requests in flight and exits, and no acknowledged vote is lost.

use std::collections::HashSet;
use std::time::Duration;

use e2e::endpoints::{Endpoint, EndpointClients, VoteResponse};
use e2e::load::Load;
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use lab::process::Signal;
use lab::servers::Server;

use crate::INGEST_SERVERS;

/// Time limit of a drain: no request takes longer than the deadline of a vote.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_loses_no_acknowledged_vote() {
    let stack = EphemeralStack::start_only(&INGEST_SERVERS).unwrap();
    let mut acknowledged = HashSet::new();
    for (server, endpoint) in [
        (Server::Rest, Endpoint::RestJson),
        (Server::Bridge, Endpoint::BridgeJson),
        (Server::Grpc, Endpoint::Grpc),
    ] {
        let clients = EndpointClients::connect(stack.endpoints()).await.unwrap();
        let load = Load::start(&clients, &[endpoint], 16);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let process = stack.identity(server).unwrap();
        stack.signal(server, Signal::TERM).unwrap();
        assert!(
            process.wait(DRAIN_TIMEOUT).await,
            "{server:?} did not exit within {DRAIN_TIMEOUT:?} after SIGTERM"
        );
        let sent = load.finish().await;

        let receipts = sent.iter().filter_map(|(_, response)| match response {
            Ok(VoteResponse::Receipt(receipt)) => Some(receipt.vote_id.clone()),
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
            "{server:?} acknowledged no vote before the drain"
        );
        let log = stack.stack().log_tail(server.name());
        assert!(
            log.contains("stopped") && !log.contains("failed"),
            "{server:?} did not shut down cleanly:\n{log}"
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
