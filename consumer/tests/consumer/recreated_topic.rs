//! A topic that is deleted and created again with the same name.

use std::time::Duration;

use kafka::RecordWriter;

use crate::environment::{PARTITIONS, TestEnvironment};
use crate::votes::{expected, mixed, send};

/// The new topic holds more records than the old one, so that its offsets look like a continuation.
const BEFORE: usize = 1_500;
const AFTER: usize = 6_000;

/// Deletes the environment's topic and creates it again.
pub(crate) async fn recreate_topic(environment: &mut TestEnvironment) {
    let brokers = environment.stack.endpoints().kafka.clone();
    kafka::admin::delete_topic(&brokers, &environment.topic)
        .await
        .unwrap();
    kafka::admin::ensure_topic(&brokers, &environment.topic, PARTITIONS)
        .await
        .unwrap();
    environment.writer = RecordWriter::new(&brokers, &environment.topic).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn topic_recreated_under_a_running_consumer_is_counted_from_its_beginning() {
    let mut environment = TestEnvironment::new("recreated").await;
    let events = mixed(&mut fastrand::Rng::with_seed(20), BEFORE + AFTER);
    let (before, after) = events.split_at(BEFORE);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, before).await;
    environment.wait_until_counted(expected(before).total).await;

    recreate_topic(&mut environment).await;
    send(&environment.writer, after).await;
    environment.wait_until_counted(expected(&events).total).await;
    // Long enough for a wrong second count to happen.
    tokio::time::sleep(Duration::from_secs(3)).await;
    environment.assert_holds_exactly(&events).await;
    consumer.wait_until_ready().await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn topic_recreated_while_no_consumer_runs_is_counted_from_its_beginning() {
    let mut environment = TestEnvironment::new("recreated_stopped").await;
    let events = mixed(&mut fastrand::Rng::with_seed(21), BEFORE + AFTER);
    let (before, after) = events.split_at(BEFORE);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, before).await;
    environment.wait_until_counted(expected(before).total).await;
    assert!(consumer.terminate().await.success());

    recreate_topic(&mut environment).await;
    send(&environment.writer, after).await;
    let consumers = [environment.consumer(&[]), environment.consumer(&[])];
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    for consumer in consumers {
        assert!(consumer.terminate().await.success());
    }
    environment.assert_holds_exactly(&events).await;
}
