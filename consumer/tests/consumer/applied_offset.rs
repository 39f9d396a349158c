//! The tally script, called directly: which batches it counts, and which it rejects by their applied offset or topic.

use std::time::Duration;

use consumer::batch::VoteAtOffset;
use consumer::dead_letter_limit::DeadLetterLevel;
use consumer::tally::{BatchCount, CountOutcome, Tally};
use consumer::vote_groups::VoteGroups;
use redis::AsyncCommands;
use tallies::RedisServer;
use uuid::Uuid;

use crate::environment::TestEnvironment;
use crate::votes::{Tallies, event, expected};

const PARTITION: i32 = 3;
const WINDOW: Duration = Duration::from_mins(1);

pub(crate) fn counted(duplicates: &[usize]) -> CountOutcome {
    CountOutcome::Counted {
        duplicates: duplicates.to_vec(),
        conflicts: Vec::new(),
    }
}

/// The indices of the duplicates of a counted batch.
fn duplicates(outcome: CountOutcome) -> Vec<usize> {
    match outcome {
        CountOutcome::Counted { duplicates, .. } => duplicates,
        other => panic!("not counted: {other:?}"),
    }
}

pub(crate) fn votes(first: i64, client_ids: &[Option<u128>]) -> Vec<VoteAtOffset> {
    let mut random = fastrand::Rng::with_seed(u64::try_from(first).unwrap());
    let vote = |(offset, id): (i64, &Option<u128>)| {
        VoteAtOffset::new(offset, event(&mut random, id.map(Uuid::from_u128)))
    };
    (first..).zip(client_ids).map(vote).collect()
}

/// The script, for one topic, partition 3, and the dead-letter level 0.
pub(crate) struct Script {
    pub(crate) tally: Tally,
    pub(crate) topic_id: Uuid,
}

impl Script {
    pub(crate) async fn new(environment: &TestEnvironment) -> Self {
        let tally = Tally::new(
            RedisServer::at(&environment.stack.endpoints().redis).unwrap(),
            WINDOW,
        )
        .unwrap();
        let topic_id = Uuid::from_u128(99);
        assert!(tally.register_topic(topic_id).await.unwrap());
        Self { tally, topic_id }
    }

    pub(crate) async fn count(
        &self,
        applied_offset: Option<i64>,
        next_offset: i64,
        votes: &[VoteAtOffset],
    ) -> CountOutcome {
        self.try_count(applied_offset, next_offset, votes).await.unwrap()
    }

    pub(crate) async fn try_count(
        &self,
        applied_offset: Option<i64>,
        next_offset: i64,
        votes: &[VoteAtOffset],
    ) -> redis::RedisResult<CountOutcome> {
        let batch = BatchCount {
            topic_id: self.topic_id,
            partition: PARTITION,
            applied_offset,
            next_offset,
            level: DeadLetterLevel::default(),
            votes: &VoteGroups::of(votes),
        };
        self.tally.count(batch).await
    }

    async fn applied_offsets(&self) -> Vec<Option<i64>> {
        self.tally.applied_offsets(&[PARTITION, 4]).await.unwrap().offsets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_is_counted_only_at_the_applied_offset_that_it_builds_on() {
    let environment = TestEnvironment::new("applied_offset").await;
    let script = Script::new(&environment).await;
    let first = votes(0, &[None; 4]);
    assert_eq!(script.applied_offsets().await, [None, None]);
    assert_eq!(
        script.count(Some(2), 4, &first).await,
        CountOutcome::OffsetMismatch(None)
    );
    assert_eq!(
        environment.tallies().await,
        Tallies::default(),
        "ahead of an empty Redis"
    );

    assert_eq!(script.count(None, 4, &first).await, counted(&[]));
    let after_first = expected(first.iter().map(|vote| &vote.event));
    assert_eq!(environment.tallies().await, after_first);
    assert_eq!(script.applied_offsets().await, [Some(4), None]);

    let second = votes(4, &[None; 2]);
    for expected_offset in [None, Some(2), Some(9)] {
        assert_eq!(
            script.count(expected_offset, 6, &second).await,
            CountOutcome::OffsetMismatch(Some(4))
        );
    }
    assert_eq!(
        script.count(None, 4, &first).await,
        CountOutcome::OffsetMismatch(Some(4)),
        "a retry"
    );
    assert_eq!(environment.tallies().await, after_first);

    assert_eq!(script.count(Some(4), 6, &second).await, counted(&[]));
    assert_eq!(
        script.count(Some(6), 8, &[]).await,
        counted(&[]),
        "only undecodable records"
    );
    assert_eq!(script.applied_offsets().await, [Some(8), None]);
    assert_eq!(environment.tallies().await.total, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn level_of_the_dead_letter_limit_moves_with_the_applied_offset() {
    let environment = TestEnvironment::new("level").await;
    let script = Script::new(&environment).await;
    for (applied_offset, next_offset, level) in [(None, 5, 50), (Some(5), 6, 49), (Some(6), 100, 0)] {
        let batch = BatchCount {
            topic_id: script.topic_id,
            partition: PARTITION,
            applied_offset,
            next_offset,
            level: DeadLetterLevel::from(level),
            votes: &VoteGroups::default(),
        };
        assert_eq!(script.tally.count(batch).await.unwrap(), counted(&[]));
        let applied = script.tally.applied_offsets(&[PARTITION, 4]).await.unwrap();
        assert_eq!(applied.offsets, [Some(next_offset), None]);
        assert_eq!(
            applied.levels,
            [DeadLetterLevel::from(level), DeadLetterLevel::default()]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_topic_is_not_counted_and_cannot_be_registered_again() {
    let environment = TestEnvironment::new("replaced").await;
    let old = Script::new(&environment).await;
    let new = Script {
        tally: Tally::new(
            RedisServer::at(&environment.stack.endpoints().redis).unwrap(),
            WINDOW,
        )
        .unwrap(),
        topic_id: Uuid::from_u128(100),
    };
    let some = votes(0, &[None; 4]);
    assert_eq!(
        new.count(None, 4, &some).await,
        CountOutcome::OtherTopic,
        "not registered yet"
    );
    assert_eq!(old.count(None, 4, &some).await, counted(&[]));

    assert!(new.tally.register_topic(new.topic_id).await.unwrap());
    assert_eq!(
        new.tally.applied_offsets(&[]).await.unwrap().topic_id,
        Some(new.topic_id)
    );
    assert_eq!(
        new.applied_offsets().await,
        [None, None],
        "the old applied offsets are deleted"
    );
    assert_eq!(environment.tallies().await.total, 4, "the old counts are kept");
    assert_eq!(
        old.count(Some(4), 8, &votes(4, &[None; 4])).await,
        CountOutcome::OtherTopic
    );
    assert_eq!(new.count(None, 4, &votes(0, &[None; 4])).await, counted(&[]));

    assert!(
        new.tally.register_topic(new.topic_id).await.unwrap(),
        "a repeated registration"
    );
    assert!(!old.tally.register_topic(old.topic_id).await.unwrap());
    assert_eq!(new.applied_offsets().await, [Some(4), None]);
    assert_eq!(environment.tallies().await.total, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_chosen_id_is_counted_once_within_the_window() {
    let environment = TestEnvironment::new("seen").await;
    let script = Script::new(&environment).await;
    let first = votes(0, &[Some(1), None, Some(2), Some(1)]);
    assert_eq!(duplicates(script.count(None, 4, &first).await), [3]);
    let second = votes(4, &[None, Some(2), Some(3)]);
    assert_eq!(duplicates(script.count(Some(4), 7, &second).await), [1]);
    let all = first.iter().chain(&second).map(|vote| &vote.event);
    assert_eq!(environment.tallies().await, expected(all));

    let key = format!("{{votes}}:seen:{}", Uuid::from_u128(1));
    let remembered: u64 = environment.redis.clone().ttl(key).await.unwrap();
    assert!((1..=WINDOW.as_secs()).contains(&remembered), "{remembered} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn script_missing_in_the_cache_of_redis_is_sent_again() {
    let environment = TestEnvironment::new("script_cache").await;
    let script = Script::new(&environment).await;
    assert_eq!(script.count(None, 1, &votes(0, &[None])).await, counted(&[]));
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut environment.redis.clone())
        .await
        .unwrap();
    assert_eq!(script.count(Some(1), 2, &votes(1, &[None])).await, counted(&[]));
}

#[tokio::test]
async fn password_that_redis_receives_later_is_accepted() {
    let environment = TestEnvironment::new("password").await;
    let url = environment
        .stack
        .endpoints()
        .redis
        .replace("redis://", "redis://:soon@");
    let tally = Tally::new(RedisServer::at(&url).unwrap(), WINDOW).unwrap();
    environment
        .redis_command(&["CONFIG", "SET", "requirepass", "another"])
        .await;
    for _ in 0..2 {
        let rejected = tally.applied_offsets(&[]).await.unwrap_err();
        assert_eq!(rejected.kind(), redis::ErrorKind::AuthenticationFailed);
    }
    environment
        .redis_command(&["CONFIG", "SET", "requirepass", "soon"])
        .await;
    // The first call may still fail; it replaces the connection.
    let _ = tally.applied_offsets(&[]).await;
    let result = tally.applied_offsets(&[]).await;
    environment
        .redis_command(&["CONFIG", "SET", "requirepass", ""])
        .await;
    result.unwrap();
}
