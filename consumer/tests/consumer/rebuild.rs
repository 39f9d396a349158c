//! `consumer rebuild`: counts that are wrong become right, while votes keep coming.

use std::time::Duration;

use kafka::RecordWriter;
use redis::AsyncCommands;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vote::VoteEvent;

use crate::bed::Bed;
use crate::tools::{reconcile, run};
use crate::topic::make_anew;
use crate::votes::{expected, mixed, send};

const COUNTERS: [&str; 4] = ["{votes}:total", "{votes}:band", "{votes}:album", "{votes}:route"];

/// Slower than any consumer: votes that wait for one would have to be waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// Votes until told to stop.
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

async fn corrupt(bed: &Bed) {
    let mut redis = bed.redis.clone();
    let _: () = redis.set("{votes}:total", 3).await.unwrap();
    let _: () = redis.hdel("{votes}:band", "Alux Nahual").await.unwrap();
    let _: i64 = redis.hincr("{votes}:album", "Nobody - Nothing", 5).await.unwrap();
    let _: i64 = redis.hincr("{votes}:route", "rest", -7).await.unwrap();
}

async fn empty(bed: &Bed) {
    let _: i64 = bed.redis.clone().del(&COUNTERS[..]).await.unwrap();
}

async fn is_mended_under_load(topic: &str, from: &str) {
    let bed = Bed::new(topic).await;
    let consumer = bed.consumer(&[]);
    let stop = CancellationToken::new();
    let (writer, stopped) = (bed.writer.clone(), stop.clone());
    let runtime = Handle::current();
    let sender = std::thread::spawn(move || runtime.block_on(load(writer, 40, stopped)));
    bed.counted(1_000).await;

    corrupt(&bed).await;
    let mended = run(&bed, "rebuild", &["--from", from]);
    assert_eq!(mended.code, 0, "{mended:?}");
    assert!(
        mended.stdout.contains("Nobody - Nothing: 5 -> 0 (-5)"),
        "{mended:?}"
    );

    empty(&bed).await;
    // Two at a time: the second one finds that the first has done it.
    let both = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let rebuild = || run(&bed, "rebuild", &["--from", from]).code;
            [scope.spawn(rebuild), scope.spawn(rebuild)].map(|one| one.join().unwrap())
        })
    });
    assert_eq!(both, [0, 0]);

    assert!(!sender.is_finished(), "there was no load");
    stop.cancel();
    let events = tokio::task::block_in_place(|| sender.join().unwrap());
    let books = reconcile(&bed, &[]);
    assert!(books.is_equal(), "{books:?}");
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_mended_from_kafka_under_load() {
    is_mended_under_load("rebuild_kafka", "kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_mended_from_mongodb_under_load() {
    is_mended_under_load("rebuild_mongodb", "mongodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_is_wrong_and_leaves_it() {
    let bed = Bed::new("rebuild_dry").await;
    let events = mixed(&mut fastrand::Rng::with_seed(41), 500);
    let consumer = bed.consumer(&[]);
    send(&bed.writer, &events).await;
    bed.counted(expected(&events).total).await;
    let right = run(&bed, "rebuild", &["--from", "kafka"]);
    assert!(right.stdout.contains("nothing to correct"), "{right:?}");

    corrupt(&bed).await;
    let corrupted = bed.tallies().await;
    for from in ["kafka", "mongodb"] {
        let dry = run(&bed, "rebuild", &["--from", from, "--dry-run"]);
        assert_eq!(dry.code, 0);
        let total = format!("total: 3 -> {}", expected(&events).total);
        assert!(
            dry.stdout.contains(&total) && dry.stdout.contains("nothing was changed"),
            "{dry:?}"
        );
        assert_eq!(bed.tallies().await, corrupted);
    }
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_topic_was_made_anew_only_mongodb_has_all_votes() {
    let mut bed = Bed::new("rebuild_anew").await;
    let events = mixed(&mut fastrand::Rng::with_seed(42), 3_000);
    let (before, after) = events.split_at(events.len() / 2);
    let consumer = bed.consumer(&[]);
    send(&bed.writer, before).await;
    bed.counted(expected(before).total).await;
    make_anew(&mut bed).await;
    send(&bed.writer, after).await;
    bed.counted(expected(&events).total).await;

    let reconciled = reconcile(&bed, &[]);
    assert!(reconciled.is_equal());
    let notes = reconciled.json["notes"].to_string();
    assert!(notes.contains("made anew"), "{notes}");
    assert_eq!(reconciled.sum("mongo"), expected(&events).total);

    empty(&bed).await;
    let refused = run(&bed, "rebuild", &["--from", "kafka"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--from mongodb"), "{refused:?}");
    assert_eq!(bed.tallies().await.total, 0);
    assert_eq!(run(&bed, "rebuild", &["--from", "mongodb"]).code, 0);
    assert!(reconcile(&bed, &[]).is_equal());
    bed.holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}
