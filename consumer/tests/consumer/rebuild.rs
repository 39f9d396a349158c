//! `consumer rebuild`: corrects wrong counts while votes arrive.

use std::time::Duration;

use kafka::RecordWriter;
use redis::AsyncCommands;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vote::VoteEvent;

use crate::commands::{reconcile, run};
use crate::environment::TestEnvironment;
use crate::recreated_topic::recreate_topic;
use crate::votes::{expected, mixed, send};

const COUNTERS: [&str; 4] = ["{votes}:total", "{votes}:band", "{votes}:album", "{votes}:route"];

/// Limits the load to a rate below that of any consumer: otherwise the test would have to wait for a backlog.
const PAUSE: Duration = Duration::from_millis(100);

/// Sends votes until `stop` and returns them.
async fn load(writer: RecordWriter, seed: u64, stop: CancellationToken) -> Vec<VoteEvent> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sent = Vec::new();
    while !stop.is_cancelled() {
        let events = mixed(&mut random, 200);
        send(&writer, &events).await;
        sent.extend(events);
        tokio::time::sleep(PAUSE).await;
    }
    sent
}

async fn corrupt(environment: &TestEnvironment) {
    let mut redis = environment.redis.clone();
    let _: () = redis.set("{votes}:total", 3).await.unwrap();
    let _: () = redis.hdel("{votes}:band", "Alux Nahual").await.unwrap();
    let _: i64 = redis
        .hincr("{votes}:album", "Unknown Band - Unknown Album", 5)
        .await
        .unwrap();
    let _: i64 = redis.hincr("{votes}:route", "rest", -7).await.unwrap();
}

async fn delete_counts(environment: &TestEnvironment) {
    let _: i64 = environment.redis.clone().del(&COUNTERS[..]).await.unwrap();
}

async fn assert_rebuild_under_load_corrects_counts(topic: &str, from: &str) {
    let environment = TestEnvironment::new(topic).await;
    let consumer = environment.consumer(&[]);
    let stop = CancellationToken::new();
    let (writer, stopped) = (environment.writer.clone(), stop.clone());
    let runtime = Handle::current();
    let sender = std::thread::spawn(move || runtime.block_on(load(writer, 40, stopped)));
    environment.wait_until_counted(1_000).await;

    corrupt(&environment).await;
    let rebuilt = run(&environment, "rebuild", &["--from", from]);
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    assert!(
        rebuilt
            .stdout
            .contains("Unknown Band - Unknown Album: 5 -> 0 (-5)"),
        "{rebuilt:?}"
    );

    delete_counts(&environment).await;
    // Two concurrent rebuilds: the second one finds nothing left to correct.
    let both = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let exit_code = || run(&environment, "rebuild", &["--from", from]).code;
            [scope.spawn(exit_code), scope.spawn(exit_code)].map(|one| one.join().unwrap())
        })
    });
    assert_eq!(both, [0, 0]);

    assert!(!sender.is_finished(), "the load ended before the rebuild");
    stop.cancel();
    let events = tokio::task::block_in_place(|| sender.join().unwrap());
    let reconciled = reconcile(&environment, &[]);
    assert!(reconciled.is_reconciled(), "{reconciled:?}");
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_from_kafka_corrects_counts_under_load() {
    assert_rebuild_under_load_corrects_counts("rebuild_kafka", "kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_from_mongodb_corrects_counts_under_load() {
    assert_rebuild_under_load_corrects_counts("rebuild_mongodb", "mongodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_prints_corrections_and_changes_nothing() {
    let environment = TestEnvironment::new("rebuild_dry").await;
    let events = mixed(&mut fastrand::Rng::with_seed(41), 500);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    let right = run(&environment, "rebuild", &["--from", "kafka"]);
    assert!(right.stdout.contains("nothing to correct"), "{right:?}");

    corrupt(&environment).await;
    let corrupted = environment.tallies().await;
    for from in ["kafka", "mongodb"] {
        let dry = run(&environment, "rebuild", &["--from", from, "--dry-run"]);
        assert_eq!(dry.code, 0);
        let total = format!("total: 3 -> {}", expected(&events).total);
        assert!(
            dry.stdout.contains(&total) && dry.stdout.contains("nothing was changed"),
            "{dry:?}"
        );
        assert_eq!(environment.tallies().await, corrupted);
    }
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_mongodb_has_all_votes_after_the_topic_was_recreated() {
    let mut environment = TestEnvironment::new("rebuild_recreated").await;
    let events = mixed(&mut fastrand::Rng::with_seed(42), 3_000);
    let (before, after) = events.split_at(events.len() / 2);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, before).await;
    environment.wait_until_counted(expected(before).total).await;
    recreate_topic(&mut environment).await;
    send(&environment.writer, after).await;
    environment.wait_until_counted(expected(&events).total).await;

    let reconciled = reconcile(&environment, &[]);
    assert!(reconciled.is_reconciled());
    let notes = reconciled.json["notes"].to_string();
    assert!(notes.contains("recreated"), "{notes}");
    assert_eq!(reconciled.sum("mongo"), expected(&events).total);

    delete_counts(&environment).await;
    let failed = run(&environment, "rebuild", &["--from", "kafka"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("--from mongodb"), "{failed:?}");
    assert_eq!(environment.tallies().await.total, 0);
    assert_eq!(run(&environment, "rebuild", &["--from", "mongodb"]).code, 0);
    assert!(reconcile(&environment, &[]).is_reconciled());
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}
