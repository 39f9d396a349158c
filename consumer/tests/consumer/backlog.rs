//! With a backlog, the partitions are read at the same rate.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::source::{Source, SourceConfig, SourceEvent};

use crate::environment::{PARTITIONS, TestEnvironment};
use crate::votes::{mixed, send};

const VOTES: usize = 60_000;
/// Slower than Kafka, so that the queues of the client library are always full.
const RECORDS_BEFORE_PAUSE: usize = 200;
const PAUSE: Duration = Duration::from_millis(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_partition_is_read_much_faster_than_another() {
    let environment = TestEnvironment::new("backlog").await;
    send(
        &environment.writer,
        &mixed(&mut fastrand::Rng::with_seed(71), VOTES),
    )
    .await;
    let mut source = Source::start(&SourceConfig {
        brokers: (&environment.stack.endpoints().kafka).into(),
        topic: environment.topic.clone(),
        group: environment.topic.clone(),
        max_outstanding: 1_000,
    })
    .unwrap();
    let (mut read, mut counts) = (0, BTreeMap::<i32, usize>::new());
    while read < VOTES / 2 {
        match source.next().await {
            SourceEvent::Assigned { partitions, start } => {
                start.send(partitions.into_iter().map(|partition| (partition, 0)).collect());
            }
            SourceEvent::Record(delivery) => {
                *counts.entry(delivery.record.partition).or_default() += 1;
                read += 1;
                if read.is_multiple_of(RECORDS_BEFORE_PAUSE) {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            SourceEvent::Revoked { .. } | SourceEvent::SeekCompleted { .. } => {}
            SourceEvent::Failed(reason) => panic!("{reason}"),
        }
    }
    source.close(Vec::new()).await;
    assert_eq!(counts.len(), usize::try_from(PARTITIONS).unwrap(), "{counts:?}");
    let (slowest, fastest) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(slowest * 2 > *fastest, "{counts:?}");
}
