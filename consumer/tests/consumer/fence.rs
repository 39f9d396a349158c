//! The script by itself: what it counts, and what it refuses.

use std::time::Duration;

use consumer::batch::LoggedVote;
use consumer::dead_letter_limit::Level;
use consumer::tally::{Count, Counted, Tally};
use redis::AsyncCommands;
use uuid::Uuid;

use crate::bed::Bed;
use crate::votes::{Tallies, event, expected};

const PARTITION: i32 = 3;
const WINDOW: Duration = Duration::from_mins(1);

fn done(duplicates: &[usize]) -> Counted {
    Counted::Done {
        duplicates: duplicates.to_vec(),
    }
}

fn votes(first: i64, client_ids: &[Option<u128>]) -> Vec<LoggedVote> {
    let mut random = fastrand::Rng::with_seed(u64::try_from(first).unwrap());
    let vote = |(offset, id): (i64, &Option<u128>)| LoggedVote {
        offset,
        event: event(&mut random, id.map(Uuid::from_u128)),
    };
    (first..).zip(client_ids).map(vote).collect()
}

/// The script, always on one topic, partition 3 and without unreadable records.
struct Script {
    tally: Tally,
    topic_id: Uuid,
}

impl Script {
    async fn new(bed: &Bed) -> Self {
        let tally = Tally::new(&bed.stack.endpoints().redis, WINDOW).unwrap();
        let topic_id = Uuid::from_u128(99);
        assert!(tally.adopt(topic_id).await.unwrap());
        Self { tally, topic_id }
    }

    async fn count(&self, fence: Option<i64>, next: i64, votes: &[LoggedVote]) -> Counted {
        let batch = Count {
            topic_id: self.topic_id,
            partition: PARTITION,
            fence,
            next,
            level: Level::default(),
            votes,
        };
        self.tally.count(batch).await.unwrap()
    }

    async fn fences(&self) -> Vec<Option<i64>> {
        self.tally.fences(&[PARTITION, 4]).await.unwrap().offsets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_counted_only_on_the_fence_that_it_builds_on() {
    let bed = Bed::new("fence").await;
    let script = Script::new(&bed).await;
    let first = votes(0, &[None; 4]);
    assert_eq!(script.fences().await, [None, None]);
    assert_eq!(script.count(Some(2), 4, &first).await, Counted::Differs(None));
    assert_eq!(bed.tallies().await, Tallies::default(), "ahead of an empty Redis");

    assert_eq!(script.count(None, 4, &first).await, done(&[]));
    let after_first = expected(first.iter().map(|vote| &vote.event));
    assert_eq!(bed.tallies().await, after_first);
    assert_eq!(script.fences().await, [Some(4), None]);

    let second = votes(4, &[None; 2]);
    for believed in [None, Some(2), Some(9)] {
        assert_eq!(
            script.count(believed, 6, &second).await,
            Counted::Differs(Some(4))
        );
    }
    assert_eq!(
        script.count(None, 4, &first).await,
        Counted::Differs(Some(4)),
        "a repeat"
    );
    assert_eq!(bed.tallies().await, after_first);

    assert_eq!(script.count(Some(4), 6, &second).await, done(&[]));
    assert_eq!(
        script.count(Some(6), 8, &[]).await,
        done(&[]),
        "nothing but dead letters"
    );
    assert_eq!(script.fences().await, [Some(8), None]);
    assert_eq!(bed.tallies().await.total, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_dead_letter_limit_moves_with_the_fence() {
    let bed = Bed::new("level").await;
    let script = Script::new(&bed).await;
    for (fence, next, level) in [(None, 5, 50), (Some(5), 6, 49), (Some(6), 100, 0)] {
        let batch = Count {
            topic_id: script.topic_id,
            partition: PARTITION,
            fence,
            next,
            level: Level::from(level),
            votes: &[],
        };
        assert_eq!(script.tally.count(batch).await.unwrap(), done(&[]));
        let fences = script.tally.fences(&[PARTITION, 4]).await.unwrap();
        assert_eq!(fences.offsets, [Some(next), None]);
        assert_eq!(fences.levels, [Level::from(level), Level::default()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_replaced_is_not_counted_and_does_not_come_back() {
    let bed = Bed::new("replaced").await;
    let old = Script::new(&bed).await;
    let new = Script {
        tally: Tally::new(&bed.stack.endpoints().redis, WINDOW).unwrap(),
        topic_id: Uuid::from_u128(100),
    };
    let some = votes(0, &[None; 4]);
    assert_eq!(
        new.count(None, 4, &some).await,
        Counted::OtherTopic,
        "not adopted yet"
    );
    assert_eq!(old.count(None, 4, &some).await, done(&[]));

    assert!(new.tally.adopt(new.topic_id).await.unwrap());
    assert_eq!(new.tally.fences(&[]).await.unwrap().topic_id, Some(new.topic_id));
    assert_eq!(new.fences().await, [None, None], "fences of its own");
    assert_eq!(bed.tallies().await.total, 4, "those votes were cast");
    assert_eq!(
        old.count(Some(4), 8, &votes(4, &[None; 4])).await,
        Counted::OtherTopic
    );
    assert_eq!(new.count(None, 4, &votes(0, &[None; 4])).await, done(&[]));

    assert!(new.tally.adopt(new.topic_id).await.unwrap(), "again");
    assert!(!old.tally.adopt(old.topic_id).await.unwrap());
    assert_eq!(new.fences().await, [Some(4), None]);
    assert_eq!(bed.tallies().await.total, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_client_is_counted_once_within_the_window() {
    let bed = Bed::new("seen").await;
    let script = Script::new(&bed).await;
    let first = votes(0, &[Some(1), None, Some(2), Some(1)]);
    assert_eq!(script.count(None, 4, &first).await, done(&[3]));
    let second = votes(4, &[None, Some(2), Some(3)]);
    assert_eq!(script.count(Some(4), 7, &second).await, done(&[1]));
    let all = first.iter().chain(&second).map(|vote| &vote.event);
    assert_eq!(bed.tallies().await, expected(all));

    let key = format!("{{votes}}:seen:{}", Uuid::from_u128(1));
    let remembered: u64 = bed.redis.clone().ttl(key).await.unwrap();
    assert!((1..=WINDOW.as_secs()).contains(&remembered), "{remembered} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_redis_has_forgotten_is_sent_again() {
    let bed = Bed::new("forgotten").await;
    let script = Script::new(&bed).await;
    assert_eq!(script.count(None, 1, &votes(0, &[None])).await, done(&[]));
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut bed.redis.clone())
        .await
        .unwrap();
    assert_eq!(script.count(Some(1), 2, &votes(1, &[None])).await, done(&[]));
}

#[tokio::test]
async fn a_password_that_redis_learns_later_is_enough() {
    let bed = Bed::new("password").await;
    let url = bed.stack.endpoints().redis.replace("redis://", "redis://:soon@");
    let tally = Tally::new(&url, WINDOW).unwrap();
    bed.redis_command(&["CONFIG", "SET", "requirepass", "another"])
        .await;
    for _ in 0..2 {
        let refused = tally.fences(&[]).await.unwrap_err();
        assert_eq!(refused.kind(), redis::ErrorKind::AuthenticationFailed);
    }
    bed.redis_command(&["CONFIG", "SET", "requirepass", "soon"]).await;
    // The call that notices may still be refused.
    let _ = tally.fences(&[]).await;
    let answered = tally.fences(&[]).await;
    bed.redis_command(&["CONFIG", "SET", "requirepass", ""]).await;
    answered.unwrap();
}
