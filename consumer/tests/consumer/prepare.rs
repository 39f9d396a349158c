//! `consumer prepare`: makes what is missing and leaves what is there.

use std::process::Command;
use std::time::Duration;

use crate::bed::Bed;

/// Its exit code and what it said on both outputs.
fn prepare(bed: &Bed, topic: &str, options: &[&str]) -> (i32, String) {
    let endpoints = bed.stack.endpoints();
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

async fn partitions(bed: &Bed, topic: &str) -> usize {
    kafka::admin::partitions(&bed.stack.endpoints().kafka, topic, Duration::from_secs(5))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_made_and_what_is_there_is_left() {
    let bed = Bed::new("prepare").await;
    assert_eq!(
        partitions(&bed, "prepared").await,
        0,
        "a test before this one made it"
    );

    let (code, said) = prepare(&bed, "prepared", &["--partitions", "4"]);
    assert_eq!(code, 0);
    assert!(said.contains("rs0 is there, its primary is 127.0.0.1:"), "{said}");
    assert_eq!(partitions(&bed, "prepared").await, 4);
    assert_eq!(partitions(&bed, "prepared.dlq").await, 1);

    let (code, _) = prepare(&bed, "prepared", &["--partitions", "3"]);
    assert_eq!(code, 0, "enough partitions are there");
    assert_eq!(partitions(&bed, "prepared").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_as_asked_is_an_error_that_says_why() {
    let bed = Bed::new("prepare.wrong").await;
    let (code, said) = prepare(&bed, "prepare.wrong", &["--partitions", "7"]);
    assert_eq!(code, 1);
    assert!(said.contains("has 6 partitions, needs 7"), "{said}");

    let (code, said) = prepare(&bed, "prepare.wrong", &["--replica-set", "rs1"]);
    assert_eq!(code, 1);
    assert!(said.contains("belongs to the replica set"), "{said}");
}
