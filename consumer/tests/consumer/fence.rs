//! The script by itself: what it counts, and what it refuses.

use std::time::Duration;

use consumer::batch::LoggedVote;
use consumer::tally::{Counted, Tally};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_counted_only_on_the_fence_that_it_builds_on() {
    let bed = Bed::new("fence").await;
    let tally = Tally::new(&bed.stack.endpoints().redis, WINDOW).unwrap();
    let first = votes(0, &[None; 4]);
    assert_eq!(tally.fences(&[PARTITION, 4]).await.unwrap(), [None, None]);
    assert_eq!(
        tally.count(PARTITION, Some(2), 4, &first).await.unwrap(),
        Counted::Differs(None)
    );
    assert_eq!(bed.tallies().await, Tallies::default(), "ahead of an empty Redis");

    assert_eq!(tally.count(PARTITION, None, 4, &first).await.unwrap(), done(&[]));
    let after_first = expected(first.iter().map(|vote| &vote.event));
    assert_eq!(bed.tallies().await, after_first);
    assert_eq!(tally.fences(&[PARTITION, 4]).await.unwrap(), [Some(4), None]);

    let second = votes(4, &[None; 2]);
    for believed in [None, Some(2), Some(9)] {
        assert_eq!(
            tally.count(PARTITION, believed, 6, &second).await.unwrap(),
            Counted::Differs(Some(4))
        );
    }
    assert_eq!(
        tally.count(PARTITION, None, 4, &first).await.unwrap(),
        Counted::Differs(Some(4)),
        "a repeat"
    );
    assert_eq!(bed.tallies().await, after_first);

    assert_eq!(
        tally.count(PARTITION, Some(4), 6, &second).await.unwrap(),
        done(&[])
    );
    assert_eq!(
        tally.count(4, None, 6, &[]).await.unwrap(),
        done(&[]),
        "nothing but dead letters"
    );
    assert_eq!(tally.fences(&[PARTITION, 4]).await.unwrap(), [Some(6), Some(6)]);
    assert_eq!(bed.tallies().await.total, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_client_is_counted_once_within_the_window() {
    let bed = Bed::new("seen").await;
    let tally = Tally::new(&bed.stack.endpoints().redis, WINDOW).unwrap();
    let first = votes(0, &[Some(1), None, Some(2), Some(1)]);
    assert_eq!(tally.count(PARTITION, None, 4, &first).await.unwrap(), done(&[3]));
    let second = votes(4, &[None, Some(2), Some(3)]);
    assert_eq!(
        tally.count(PARTITION, Some(4), 7, &second).await.unwrap(),
        done(&[1])
    );
    let all = first.iter().chain(&second).map(|vote| &vote.event);
    assert_eq!(bed.tallies().await, expected(all));

    let key = format!("{{votes}}:seen:{}", Uuid::from_u128(1));
    let remembered: u64 = bed.redis.clone().ttl(key).await.unwrap();
    assert!((1..=WINDOW.as_secs()).contains(&remembered), "{remembered} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_redis_has_forgotten_is_sent_again() {
    let bed = Bed::new("forgotten").await;
    let tally = Tally::new(&bed.stack.endpoints().redis, WINDOW).unwrap();
    assert_eq!(
        tally.count(PARTITION, None, 1, &votes(0, &[None])).await.unwrap(),
        done(&[])
    );
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut bed.redis.clone())
        .await
        .unwrap();
    assert_eq!(
        tally
            .count(PARTITION, Some(1), 2, &votes(1, &[None]))
            .await
            .unwrap(),
        done(&[])
    );
}
