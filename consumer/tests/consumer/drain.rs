//! A consumer that shuts down during a rebalance leaves the group in time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka::source::{Source, SourceConfig, SourceEvent};
use lab::process::Signal;
use lab::servers::Server;
use tokio::task::JoinHandle;

use crate::environment::{PARTITIONS, TestEnvironment, wait_for};
use crate::votes::{expected, mixed, send};

const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);
/// A member finds out within the heartbeat interval of 2 s that another has left the group. If the other has not left, it
/// takes the session timeout of 6 s since its last heartbeat.
const REASSIGNMENT: Duration = Duration::from_millis(3_500);

/// Another member of the group, which counts nothing.
struct Member {
    partitions: Arc<Mutex<BTreeSet<i32>>>,
    events: JoinHandle<()>,
}

impl Member {
    fn join(environment: &TestEnvironment) -> Self {
        let config = SourceConfig {
            brokers: (&environment.stack.endpoints().kafka).into(),
            topic: environment.topic.clone(),
            group: environment.topic.clone(),
            max_outstanding: 100_000,
        };
        let mut source = Source::start(&config).unwrap();
        let partitions = Arc::new(Mutex::new(BTreeSet::new()));
        let assigned = Arc::clone(&partitions);
        let events = tokio::spawn(async move {
            loop {
                match source.next().await {
                    SourceEvent::Assigned { partitions, start } => {
                        assigned.lock().unwrap().extend(&partitions);
                        start.send(partitions.into_iter().map(|partition| (partition, 0)).collect());
                    }
                    SourceEvent::Revoked { partitions, done } => {
                        assigned
                            .lock()
                            .unwrap()
                            .retain(|partition| !partitions.contains(partition));
                        done.send(Vec::new());
                    }
                    SourceEvent::Record(_) | SourceEvent::SeekCompleted { .. } => {}
                    SourceEvent::Failed(reason) => panic!("{reason}"),
                }
            }
        });
        Self { partitions, events }
    }

    async fn wait_for_all_partitions(&self) {
        wait_for("the other member has all partitions", async || {
            self.partitions.lock().unwrap().len() == usize::try_from(PARTITIONS).unwrap()
        })
        .await;
    }
}

/// MongoDB does not respond, so batches are in flight while the consumer shuts down.
async fn assert_leaves_in_time(topic: &str, joins_before: bool) {
    let environment = TestEnvironment::new(topic).await;
    let timeout_ms = DRAIN_TIMEOUT.as_millis().to_string();
    let consumer = environment.consumer(&["--drain-timeout-ms", &timeout_ms]);
    let events = mixed(&mut fastrand::Rng::with_seed(31), 2_000);
    let (before, after) = events.split_at(1_000);
    send(&environment.writer, before).await;
    environment.wait_until_counted(expected(before).total).await;
    environment.stack.signal(Server::Mongodb, Signal::STOP).unwrap();
    send(&environment.writer, after).await;
    consumer.wait_until_lagging().await;
    let member = if joins_before {
        let member = Member::join(&environment);
        consumer.wait_until_sharing_partitions().await;
        member
    } else {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Member::join(&environment)
    };
    let started = Instant::now();
    let status = consumer.terminate().await;
    let (drained, left) = (started.elapsed(), Instant::now());
    member.wait_for_all_partitions().await;
    let reassigned = left.elapsed();
    environment.stack.signal(Server::Mongodb, Signal::CONT).unwrap();
    member.events.abort();
    assert!(status.success(), "{status}");
    assert!(drained < DRAIN_TIMEOUT, "shut down within {drained:?}");
    assert!(
        reassigned < REASSIGNMENT,
        "left the group, reassigned within {reassigned:?}"
    );

    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_after_a_revocation_leaves_the_group_in_time() {
    assert_leaves_in_time("drain_revoked", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_while_another_member_joins_leaves_the_group_in_time() {
    assert_leaves_in_time("drain_joining", false).await;
}
