//! A topic that was deleted and made again under its name.

use std::time::Duration;

use kafka::RecordWriter;

use crate::bed::{Bed, PARTITIONS};
use crate::votes::{expected, mixed, send};

/// The new topic holds more than the old one did: then its offsets look like a continuation of the old ones.
const BEFORE: usize = 1_500;
const AFTER: usize = 6_000;

/// Deletes the bed's topic and makes it again.
pub(crate) async fn make_anew(bed: &mut Bed) {
    let brokers = bed.stack.endpoints().kafka.clone();
    kafka::admin::delete_topic(&brokers, &bed.topic).await.unwrap();
    kafka::admin::ensure_topic(&brokers, &bed.topic, PARTITIONS)
        .await
        .unwrap();
    bed.writer = RecordWriter::new(&brokers, &bed.topic).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_under_a_running_consumer_is_counted_from_its_beginning() {
    let mut bed = Bed::new("anew").await;
    let events = mixed(&mut fastrand::Rng::with_seed(20), BEFORE + AFTER);
    let (before, after) = events.split_at(BEFORE);
    let consumer = bed.consumer(&[]);
    send(&bed.writer, before).await;
    bed.counted(expected(before).total).await;

    make_anew(&mut bed).await;
    send(&bed.writer, after).await;
    bed.counted(expected(&events).total).await;
    // Whatever would count them twice has had its time.
    tokio::time::sleep(Duration::from_secs(3)).await;
    bed.holds_exactly(&events).await;
    consumer.ready().await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_while_no_consumer_ran_is_counted_from_its_beginning() {
    let mut bed = Bed::new("anew_stopped").await;
    let events = mixed(&mut fastrand::Rng::with_seed(21), BEFORE + AFTER);
    let (before, after) = events.split_at(BEFORE);
    let consumer = bed.consumer(&[]);
    send(&bed.writer, before).await;
    bed.counted(expected(before).total).await;
    assert!(consumer.terminate().await.success());

    make_anew(&mut bed).await;
    send(&bed.writer, after).await;
    let consumers = [bed.consumer(&[]), bed.consumer(&[])];
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
    for consumer in consumers {
        assert!(consumer.terminate().await.success());
    }
    bed.holds_exactly(&events).await;
}
