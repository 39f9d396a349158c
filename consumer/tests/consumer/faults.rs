//! Each vote once, whatever ends in between.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::servers::Server;
use mongodb::bson::doc;

use crate::bed::{Bed, wait_for};
use crate::votes::{expected, mixed, send};

const KILLS: u64 = 4;
/// Small batches make many places to be killed at.
const SMALL_BATCHES: [&str; 4] = ["--batch-max-records", "25", "--batch-linger-ms", "1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_consumer_counts_nothing_twice() {
    let bed = Bed::new("killed").await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let events = mixed(&mut random, 30_000);
    send(&bed.writer, &events).await;
    let total = expected(&events).total;
    for round in 0..KILLS {
        let consumer = bed.consumer(&SMALL_BATCHES);
        let from = round * total / (KILLS + 1);
        bed.counted(from + random.u64(1..total / (KILLS + 1))).await;
        consumer.kill();
    }
    let consumer = bed.consumer(&[]);
    bed.counted(total).await;
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_come_and_go_share_the_work() {
    let bed = Bed::new("rebalance").await;
    let events = mixed(&mut fastrand::Rng::with_seed(3), 45_000);
    let (before, rest) = events.split_at(events.len() / 3);
    let (during, after) = rest.split_at(events.len() / 3);
    let first = bed.consumer(&SMALL_BATCHES);
    send(&bed.writer, before).await;
    bed.counted(1).await;
    let second = bed.consumer(&SMALL_BATCHES);
    send(&bed.writer, during).await;
    tokio::join!(first.shares_partitions(), second.shares_partitions());
    send(&bed.writer, after).await;
    assert!(first.terminate().await.success());
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
    assert!(second.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_both_believe_to_own_every_partition_count_once() {
    let bed = Bed::new("zombies").await;
    let events = mixed(&mut fastrand::Rng::with_seed(7), 20_000);
    let consumers = ["one", "other"].map(|group| bed.consumer_in(group, &SMALL_BATCHES));
    for consumer in &consumers {
        consumer.ready().await;
    }
    send(&bed.writer, &events).await;
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
    for consumer in consumers {
        assert!(consumer.terminate().await.success());
    }
    bed.holds_exactly(&events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_away_is_waited_for_and_named() {
    let bed = Bed::new("kafka").await;
    let events = mixed(&mut fastrand::Rng::with_seed(8), 2_000);
    let (before, after) = events.split_at(events.len() / 2);
    let consumer = bed.consumer(&[]);
    consumer.ready().await;
    send(&bed.writer, before).await;
    bed.stack.kill(Server::Kafka).await.unwrap();
    consumer.not_ready("kafka").await;
    bed.stack.start_server(Server::Kafka).await.unwrap();
    consumer.ready().await;
    send(&bed.writer, after).await;
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;

    bed.stack.kill(Server::Kafka).await.unwrap();
    let ended = consumer.terminate().await;
    bed.stack.start_server(Server::Kafka).await.unwrap();
    assert!(ended.success(), "an end does not depend on Kafka");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_gives_up_on_a_store_that_is_away_and_loses_nothing() {
    let bed = Bed::new("drain").await;
    let events = mixed(&mut fastrand::Rng::with_seed(9), 2_000);
    let consumer = bed.consumer(&["--drain-timeout-ms", "3000"]);
    consumer.ready().await;
    bed.stack.kill(Server::Redis).await.unwrap();
    send(&bed.writer, &events).await;
    consumer.not_ready("redis").await;
    let ended = consumer.terminate().await;
    bed.stack.start_server(Server::Redis).await.unwrap();
    assert!(ended.success());
    let consumer = bed.consumer(&[]);
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_are_away_are_waited_for_and_named() {
    let bed = Bed::new("stores").await;
    let mut random = fastrand::Rng::with_seed(4);
    let events = mixed(&mut random, 6_000);
    // Fewer than are sent: reading pauses, and goes on.
    let consumer = bed.consumer(&["--max-outstanding", "500"]);
    consumer.ready().await;
    let half = events.len() / 2;
    for (server, name, part) in [
        (Server::Mongodb, "mongodb", 0..half),
        (Server::Redis, "redis", half..events.len()),
    ] {
        bed.stack.kill(server).await.unwrap();
        send(&bed.writer, &events[part.clone()]).await;
        consumer.not_ready(name).await;
        // Beyond the second after which reading pauses.
        tokio::time::sleep(Duration::from_secs(2)).await;
        bed.stack.start_server(server).await.unwrap();
        bed.counted(expected(&events[..part.end]).total).await;
        consumer.ready().await;
    }
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lost_everything_is_counted_anew() {
    let bed = Bed::new("lost").await;
    let events = mixed(&mut fastrand::Rng::with_seed(5), 2_000);
    let consumer = bed.consumer(&[]);
    send(&bed.writer, &events).await;
    let total = expected(&events).total;
    bed.counted(total).await;
    bed.redis_command(&["FLUSHALL"]).await;
    bed.counted(total).await;
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_older_is_counted_up_again() {
    let bed = Bed::new("older").await;
    let events = mixed(&mut fastrand::Rng::with_seed(12), 6_000);
    let half = events.len() / 2;
    let consumer = bed.consumer(&[]);
    send(&bed.writer, &events[..half]).await;
    bed.counted(expected(&events[..half]).total).await;

    // What a machine that loses power does to writes that were not synced yet: the file is as it was before them.
    let data = bed.stack.stack().dir().data(Server::Redis).unwrap();
    let older = data.with_extension("older");
    copy(&data, &older);
    send(&bed.writer, &events[half..]).await;
    bed.counted(expected(&events).total).await;
    bed.stack.kill(Server::Redis).await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&older, &data);
    bed.stack.start_server(Server::Redis).await.unwrap();

    // Counted once more, but only what was lost: otherwise the sums would not be right.
    wait_for("votes are counted again", async || {
        consumer.processed().await > events.len() as u64
    })
    .await;
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
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
async fn stores_that_take_no_writes_are_waited_for_and_named() {
    let bed = Bed::new("readonly").await;
    let events = mixed(&mut fastrand::Rng::with_seed(10), 2_000);
    let consumer = bed.consumer(&[]);
    consumer.ready().await;
    let half = events.len() / 2;

    // A replica answers reads and pings, and refuses writes.
    bed.redis_command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    send(&bed.writer, &events[..half]).await;
    consumer.not_ready("ReadOnly").await;
    bed.redis_command(&["REPLICAOF", "NO", "ONE"]).await;
    bed.counted(expected(&events[..half]).total).await;
    consumer.ready().await;

    // Full: nothing fits, not even what is there.
    bed.redis_command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    send(&bed.writer, &events[half..]).await;
    consumer.not_ready("OOM").await;
    bed.redis_command(&["CONFIG", "SET", "maxmemory", "512mb"]).await;
    bed.counted(expected(&events).total).await;
    consumer.ready().await;

    let admin = bed.log.client().database("admin");
    // The command closes its own connection; the test below sees what it did.
    let _ = admin
        .run_command(doc! { "replSetStepDown": 3, "force": true })
        .await;
    let more = mixed(&mut fastrand::Rng::with_seed(11), 500);
    send(&bed.writer, &more).await;
    consumer.not_ready("mongodb").await;
    let all: Vec<_> = events.iter().chain(&more).cloned().collect();
    bed.counted(expected(&all).total).await;
    bed.holds_exactly(&all).await;
    consumer.ready().await;
    assert!(consumer.terminate().await.success());
}
