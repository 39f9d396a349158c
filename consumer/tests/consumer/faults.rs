//! Each vote is counted exactly once, even if the consumer or a store fails.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::servers::Server;
use mongodb::bson::doc;

use crate::environment::{TestEnvironment, wait_for};
use crate::votes::{expected, mixed, send};

const KILLS: u64 = 4;
/// Small batches, so that kills interrupt different steps of a batch.
const SMALL_BATCHES: [&str; 4] = ["--batch-max-records", "25", "--batch-linger-ms", "1"];

#[tokio::test(flavor = "multi_thread")]
async fn killed_consumer_counts_no_vote_twice() {
    let environment = TestEnvironment::new("killed").await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let events = mixed(&mut random, 30_000);
    send(&environment.writer, &events).await;
    let total = expected(&events).total;
    for round in 0..KILLS {
        let consumer = environment.consumer(&SMALL_BATCHES);
        let from = round * total / (KILLS + 1);
        environment
            .wait_until_counted(from + random.u64(1..total / (KILLS + 1)))
            .await;
        consumer.kill();
    }
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_join_and_leave_share_the_partitions() {
    let environment = TestEnvironment::new("rebalance").await;
    let events = mixed(&mut fastrand::Rng::with_seed(3), 45_000);
    let (before, rest) = events.split_at(events.len() / 3);
    let (during, after) = rest.split_at(events.len() / 3);
    let first = environment.consumer(&SMALL_BATCHES);
    send(&environment.writer, before).await;
    environment.wait_until_counted(1).await;
    let second = environment.consumer(&SMALL_BATCHES);
    send(&environment.writer, during).await;
    tokio::join!(
        first.wait_until_sharing_partitions(),
        second.wait_until_sharing_partitions()
    );
    send(&environment.writer, after).await;
    assert!(first.terminate().await.success());
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(second.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_of_the_same_partitions_count_each_vote_once() {
    let environment = TestEnvironment::new("two_groups").await;
    let events = mixed(&mut fastrand::Rng::with_seed(7), 20_000);
    let consumers = ["one", "other"].map(|group| environment.consumer_in(group, &SMALL_BATCHES));
    for consumer in &consumers {
        consumer.wait_until_ready().await;
    }
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    for consumer in consumers {
        assert!(consumer.terminate().await.success());
    }
    environment.assert_holds_exactly(&events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_waits_for_kafka_and_reports_the_outage() {
    let environment = TestEnvironment::new("kafka").await;
    let events = mixed(&mut fastrand::Rng::with_seed(8), 2_000);
    let (before, after) = events.split_at(events.len() / 2);
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    send(&environment.writer, before).await;
    environment.stack.kill(Server::Kafka).await.unwrap();
    consumer.wait_until_not_ready("kafka").await;
    environment.stack.start_server(Server::Kafka).await.unwrap();
    consumer.wait_until_ready().await;
    send(&environment.writer, after).await;
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;

    environment.stack.kill(Server::Kafka).await.unwrap();
    let status = consumer.terminate().await;
    environment.stack.start_server(Server::Kafka).await.unwrap();
    assert!(status.success(), "the shutdown must not depend on Kafka");
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_during_a_store_outage_times_out_and_loses_no_vote() {
    let environment = TestEnvironment::new("drain").await;
    let events = mixed(&mut fastrand::Rng::with_seed(9), 2_000);
    let consumer = environment.consumer(&["--drain-timeout-ms", "3000"]);
    consumer.wait_until_ready().await;
    environment.stack.kill(Server::Redis).await.unwrap();
    send(&environment.writer, &events).await;
    consumer.wait_until_not_ready("redis").await;
    let status = consumer.terminate().await;
    environment.stack.start_server(Server::Redis).await.unwrap();
    assert!(status.success());
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_waits_for_redis_and_mongodb_and_reports_the_outage() {
    let environment = TestEnvironment::new("stores").await;
    let mut random = fastrand::Rng::with_seed(4);
    let events = mixed(&mut random, 6_000);
    // Fewer than the test sends, so that reading pauses and resumes.
    let consumer = environment.consumer(&["--max-outstanding", "500"]);
    consumer.wait_until_ready().await;
    let half = events.len() / 2;
    for (server, name, part) in [
        (Server::Mongodb, "mongodb", 0..half),
        (Server::Redis, "redis", half..events.len()),
    ] {
        environment.stack.kill(server).await.unwrap();
        send(&environment.writer, &events[part.clone()]).await;
        consumer.wait_until_not_ready(name).await;
        // Longer than the second after which reading pauses.
        tokio::time::sleep(Duration::from_secs(2)).await;
        environment.stack.start_server(server).await.unwrap();
        environment
            .wait_until_counted(expected(&events[..part.end]).total)
            .await;
        consumer.wait_until_ready().await;
    }
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_votes_are_counted_again_after_redis_lost_everything() {
    let environment = TestEnvironment::new("lost").await;
    let events = mixed(&mut fastrand::Rng::with_seed(5), 2_000);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, &events).await;
    let total = expected(&events).total;
    environment.wait_until_counted(total).await;
    environment.redis_command(&["FLUSHALL"]).await;
    environment.wait_until_counted(total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_votes_are_counted_again_after_redis_restarts_with_older_data() {
    let environment = TestEnvironment::new("older").await;
    let events = mixed(&mut fastrand::Rng::with_seed(12), 6_000);
    let half = events.len() / 2;
    let consumer = environment.consumer(&[]);
    send(&environment.writer, &events[..half]).await;
    environment
        .wait_until_counted(expected(&events[..half]).total)
        .await;

    // Simulates a power failure that loses the writes that were not synced: restores the older data file.
    let data = environment.stack.stack().dir().data(Server::Redis).unwrap();
    let older = data.with_extension("older");
    copy(&data, &older);
    send(&environment.writer, &events[half..]).await;
    environment.wait_until_counted(expected(&events).total).await;
    environment.stack.kill(Server::Redis).await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&older, &data);
    environment.stack.start_server(Server::Redis).await.unwrap();

    // Only the lost votes are counted again: otherwise the sums would be wrong.
    wait_for("votes are counted again", async || {
        consumer.processed().await > events.len() as u64
    })
    .await;
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("--archive")
        .args([from, to])
        .status()
        .unwrap();
    assert!(copied.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_waits_for_stores_that_reject_writes_and_reports_them() {
    let environment = TestEnvironment::new("readonly").await;
    let events = mixed(&mut fastrand::Rng::with_seed(10), 2_000);
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    let half = events.len() / 2;

    // A replica responds to reads and pings, and rejects writes.
    environment.redis_command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    send(&environment.writer, &events[..half]).await;
    consumer.wait_until_not_ready("ReadOnly").await;
    environment.redis_command(&["REPLICAOF", "NO", "ONE"]).await;
    environment
        .wait_until_counted(expected(&events[..half]).total)
        .await;
    consumer.wait_until_ready().await;

    // Redis is full: its data already exceeds the limit.
    environment
        .redis_command(&["CONFIG", "SET", "maxmemory", "1"])
        .await;
    send(&environment.writer, &events[half..]).await;
    consumer.wait_until_not_ready("OOM").await;
    environment
        .redis_command(&["CONFIG", "SET", "maxmemory", "512mb"])
        .await;
    environment.wait_until_counted(expected(&events).total).await;
    consumer.wait_until_ready().await;

    let admin = environment.log.client().database("admin");
    // The command closes its own connection and returns an error; the readiness check below shows its effect.
    let _ = admin
        .run_command(doc! { "replSetStepDown": 3, "force": true })
        .await;
    let more = mixed(&mut fastrand::Rng::with_seed(11), 500);
    send(&environment.writer, &more).await;
    consumer.wait_until_not_ready("mongodb").await;
    let all: Vec<_> = events.iter().chain(&more).cloned().collect();
    environment.wait_until_counted(expected(&all).total).await;
    environment.assert_holds_exactly(&all).await;
    consumer.wait_until_ready().await;
    assert!(consumer.terminate().await.success());
}
