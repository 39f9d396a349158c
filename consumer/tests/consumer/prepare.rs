//! `consumer prepare`: creates what is missing and changes nothing that exists.

use std::process::Command;
use std::time::Duration;

use crate::environment::TestEnvironment;

/// Runs `consumer prepare`. Returns its exit code and its output.
fn prepare(environment: &TestEnvironment, topic: &str, options: &[&str]) -> (i32, String) {
    let endpoints = environment.stack.endpoints();
    let member = endpoints
        .mongodb
        .trim_start_matches("mongodb://")
        .split('/')
        .next()
        .unwrap();
    let dead_letter_topic = format!("{topic}.dlq");
    let output = Command::new(env!("CARGO_BIN_EXE_consumer"))
        .args(["prepare", "--kafka-brokers", &endpoints.kafka, "--topic", topic])
        .args(["--dead-letter-topic", &dead_letter_topic])
        .args(["--mongodb-members", member, "--wait-s", "3"])
        .args(options)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    println!("{text}");
    (output.status.code().unwrap(), text)
}

async fn partitions(environment: &TestEnvironment, topic: &str) -> usize {
    kafka::admin::partitions(
        &environment.stack.endpoints().kafka,
        topic,
        Duration::from_secs(5),
    )
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_created_and_existing_ones_are_unchanged() {
    let environment = TestEnvironment::new("prepare").await;
    assert_eq!(
        partitions(&environment, "prepared").await,
        0,
        "an earlier test created the topic"
    );

    let (code, output) = prepare(&environment, "prepared", &["--partitions", "4"]);
    assert_eq!(code, 0);
    assert!(
        output.contains("rs0 exists, its primary is 127.0.0.1:"),
        "{output}"
    );
    assert_eq!(partitions(&environment, "prepared").await, 4);
    assert_eq!(partitions(&environment, "prepared.dlq").await, 1);

    let (code, _) = prepare(&environment, "prepared", &["--partitions", "3"]);
    assert_eq!(code, 0, "the topic has enough partitions");
    assert_eq!(partitions(&environment, "prepared").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_topic_or_replica_set_that_does_not_match_is_an_error() {
    let environment = TestEnvironment::new("prepare.mismatch").await;
    let (code, output) = prepare(&environment, "prepare.mismatch", &["--partitions", "7"]);
    assert_eq!(code, 1);
    assert!(output.contains("has 6 partitions, needs 7"), "{output}");

    let (code, output) = prepare(&environment, "prepare.mismatch", &["--replica-set", "rs1"]);
    assert_eq!(code, 1);
    assert!(output.contains("belongs to the replica set"), "{output}");
}
