//! Tests the settings that only experiments use: additional arguments for a server, and the number of partitions.

use std::path::Path;
use std::time::Duration;

use lab::ports::{Port, Ports};
use lab::progress::Progress;
use lab::project;
use lab::servers::Server;
use lab::stack::{AcquireOutcome, Stack};
use lab::state::Settings;

fn settings(server: &str) -> Settings {
    let extra_args = vec!["--deadline-ms".to_owned(), "1234".to_owned()];
    Settings {
        servers: vec![Server::Kafka, Server::Rest],
        ports: Ports::choose(&[], true).unwrap(),
        extra_args: [(server.to_owned(), extra_args)].into(),
        partitions: Some(1),
        ..Settings::default()
    }
}

fn stack(directory: &Path) -> Stack {
    Stack::open(directory, &project::programs().unwrap(), Progress::new()).unwrap()
}

#[tokio::test]
async fn extra_arguments_and_partitions_are_applied() {
    let directory = tempfile::tempdir().unwrap();
    let stack = stack(directory.path());
    assert_eq!(stack.acquire().await.unwrap(), AcquireOutcome::Acquired);
    let settings = settings("rest");
    stack.start(&settings).await.unwrap();

    let brokers = settings.ports.address(Port::Kafka);
    let partitions = kafka::admin::partitions(&brokers, "votes", Duration::from_secs(10)).await;
    let log = std::fs::read_to_string(stack.dir().log("rest")).unwrap();
    stack.stop().await.unwrap();
    assert_eq!(partitions.unwrap(), 1);
    assert!(log.contains("deadline_ms=1234"), "{log}");
}

#[tokio::test]
async fn arguments_for_an_unknown_server_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let error = stack(directory.path())
        .start(&settings("ingest-rest"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`ingest-rest`"), "{error}");
}
