//! With a backlog, the votes of all partitions are counted at the same rate.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::AsyncCommands;

use crate::environment::{PARTITIONS, TestEnvironment};
use crate::votes::{mixed, send_at_once};

/// A route that gets large requests writes batches that are larger than one fetch of a partition.
const IN_FLIGHT: usize = 30_000;
/// More than the consumer and its client library keep in memory.
const VOTES: usize = 240_000;
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_partition_is_counted_much_faster_than_another() {
    let environment = TestEnvironment::new("backlog").await;
    let events = mixed(&mut fastrand::Rng::with_seed(71), VOTES);
    send_at_once(&environment.writer, &events, IN_FLIGHT).await;
    let _consumer = environment.consumer(&[]);
    let mut redis = environment.redis.clone();
    let applied_offsets = loop {
        let offsets: BTreeMap<i32, usize> = redis.hgetall("{votes}:offsets").await.unwrap();
        if offsets.values().sum::<usize>() >= VOTES / 2 {
            break offsets;
        }
        tokio::time::sleep(PAUSE).await;
    };
    assert_eq!(
        applied_offsets.len(),
        usize::try_from(PARTITIONS).unwrap(),
        "{applied_offsets:?}"
    );
    let (slowest, fastest) = (
        applied_offsets.values().min().unwrap(),
        applied_offsets.values().max().unwrap(),
    );
    assert!(slowest * 2 > *fastest, "{applied_offsets:?}");
}
