//! Kafka is killed under load and restarted: every route rejects votes within the deadline, reports that it is not ready,
//! acknowledges no vote that it loses, and recovers.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use e2e::endpoints::{Endpoint, EndpointClients, VoteResponse};
use e2e::load::{Load, SentVote};
use e2e::records::Records;
use e2e::wait::holds_within;
use ephemeral_stack::EphemeralStack;
use lab::servers::Server;

use crate::INGEST_SERVERS;

const DEADLINE: Duration = Duration::from_secs(3);
/// Time that the network, the scheduler and a busy machine can add to the deadline.
const SLACK: Duration = Duration::from_secs(2);
/// Time limit for a route to detect that Kafka is down, or that it is up again.
const STATE_CHANGE_TIMEOUT: Duration = Duration::from_mins(1);
const UNAVAILABLE: i32 = 14;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_reject_votes_without_kafka_and_recover() {
    let mut options = vec!["--deadline-ms", "3000", "--only"];
    let names = INGEST_SERVERS.map(Server::name).join(",");
    options.push(&names);
    let stack = EphemeralStack::start_with(&options).unwrap();
    let clients = EndpointClients::connect(stack.endpoints()).await.unwrap();

    let load = Load::start(&clients, &Endpoint::ALL, 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    stack.kill(Server::Kafka).await.unwrap();
    tokio::time::sleep(DEADLINE + SLACK).await;

    // Each route now rejects votes within the deadline, with the equivalent error.
    for endpoint in Endpoint::ALL {
        let started = Instant::now();
        let response = clients.send_valid_vote(endpoint).await.unwrap();
        let took = started.elapsed();
        let expected_code = if endpoint == Endpoint::Grpc {
            UNAVAILABLE
        } else {
            503
        };
        let VoteResponse::Rejection { code, retry, .. } = response else {
            panic!("{endpoint:?} gave a receipt without Kafka")
        };
        assert_eq!((code, retry), (expected_code, true), "{endpoint:?}");
        assert!(took < DEADLINE + SLACK, "{endpoint:?} took {took:?}");
    }
    for admin in [
        &stack.endpoints().rest_admin,
        &stack.endpoints().grpc_admin,
        &stack.endpoints().bridge_admin,
    ] {
        let is_not_ready = async || status(&format!("{admin}/readyz")).await == 503;
        assert!(
            holds_within(STATE_CHANGE_TIMEOUT, Duration::from_millis(100), is_not_ready).await,
            "{admin} reports ready without Kafka"
        );
        assert_eq!(status(&format!("{admin}/livez")).await, 200, "{admin}");
    }

    stack.start_server(Server::Kafka).await.unwrap();
    let restarted = Instant::now();
    for endpoint in Endpoint::ALL {
        let accepts_votes = async || {
            let response = clients.send_valid_vote(endpoint).await;
            matches!(response, Ok(VoteResponse::Receipt(_)))
        };
        let remaining = STATE_CHANGE_TIMEOUT.saturating_sub(restarted.elapsed());
        assert!(
            holds_within(remaining, Duration::from_millis(50), accepts_votes).await,
            "{endpoint:?} did not recover"
        );
        println!(
            "{endpoint:?} accepted votes again after {:?}",
            restarted.elapsed()
        );
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = load.finish().await;

    check_logs(&stack);

    // Every acknowledged vote must be in Kafka.
    let brokers = stack.endpoints().kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let in_kafka: HashSet<_> = records.ids().collect();
    let acknowledged = acknowledged_ids(&sent);
    let lost: Vec<_> = acknowledged.iter().filter(|id| !in_kafka.contains(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged votes are not in Kafka",
        lost.len(),
        acknowledged.len()
    );
    for endpoint in Endpoint::ALL {
        let count_for_endpoint = |condition: fn(&VoteResponse) -> bool| {
            let responses = sent
                .iter()
                .filter(|(sent_to, _)| *sent_to == endpoint)
                .filter_map(|(_, response)| response.as_ref().ok());
            responses.filter(|response| condition(response)).count()
        };
        let (receipts, rejections) = (
            count_for_endpoint(is_receipt),
            count_for_endpoint(|response| !is_receipt(response)),
        );
        println!("{endpoint:?}: {receipts} receipts, {rejections} rejections");
        assert!(
            receipts > 0 && rejections > 0,
            "{endpoint:?}: the load must run with and without Kafka"
        );
    }
}

/// Each route logs why its votes failed, with few lines for many votes.
fn check_logs(stack: &EphemeralStack) {
    for (server, route) in [
        (Server::Rest, "rest"),
        (Server::Grpc, "grpc"),
        (Server::Grpc, "bridge"),
        (Server::Bridge, "bridge"),
    ] {
        let log = std::fs::read_to_string(stack.stack().dir().log(server.name())).unwrap();
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.contains("votes failed") && line.contains(&format!("route=\"{route}\"")))
            .collect();
        let has_reason = |outcome: &str| {
            let field = format!("outcome=\"{outcome}\"");
            lines
                .iter()
                .any(|line| line.contains(&field) && line.contains("reason="))
        };
        println!("{} logged {} lines for route {route}", server.name(), lines.len());
        assert!(
            has_reason("unavailable") || has_reason("deadline"),
            "{} does not log why votes of route {route} failed:\n{log}",
            server.name()
        );
        // The outage lasts for less than two minutes. Each second has at most one line per reason.
        assert!(lines.len() < 500, "{} lines:\n{log}", lines.len());
    }
}

fn is_receipt(response: &VoteResponse) -> bool {
    matches!(response, VoteResponse::Receipt(_))
}

fn acknowledged_ids(sent: &[SentVote]) -> HashSet<String> {
    let responses = sent.iter().filter_map(|(_, response)| response.as_ref().ok());
    responses
        .filter_map(|response| match response {
            VoteResponse::Receipt(receipt) => Some(receipt.vote_id.clone()),
            VoteResponse::Rejection { .. } => None,
        })
        .collect()
}

async fn status(url: &str) -> u16 {
    reqwest::get(url).await.unwrap().status().as_u16()
}
