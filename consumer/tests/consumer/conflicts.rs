//! The same id with another vote: the first record counts, and the consumer reports the later one.

use consumer::tally::CountOutcome;
use redis::AsyncCommands;
use uuid::Uuid;
use vote::{Album, Route};

use crate::applied_offset::{Script, votes};
use crate::commands::reconcile;
use crate::environment::{TestEnvironment, wait_for};
use crate::votes::{event, expected, send};

fn outcome(duplicates: &[usize], conflicts: &[usize]) -> CountOutcome {
    CountOutcome::Counted {
        duplicates: duplicates.to_vec(),
        conflicts: conflicts.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_repeat_with_another_vote_is_a_conflict() {
    let environment = TestEnvironment::new("conflict_script").await;
    let script = Script::new(&environment).await;
    let mut first = votes(0, &[Some(1), Some(1), None, Some(1), Some(2)]);
    first[1].event.vote = first[0].event.vote.clone();
    // A client may retry by another route.
    first[1].event.route = Route::ALL[usize::from(first[0].event.route == Route::ALL[0])];
    first[3].event.vote.album = Album::parse("Another".to_owned()).unwrap();
    assert_eq!(script.count(None, 5, &first).await, outcome(&[1, 3], &[3]));

    // An earlier version stored 1, which is no fingerprint.
    let key = format!("{{votes}}:seen:{}", Uuid::from_u128(2));
    let _: () = environment.redis.clone().set(key, 1).await.unwrap();
    let mut second = votes(5, &[Some(1), Some(2)]);
    second[0].event.vote = first[0].event.vote.clone();
    assert_eq!(script.count(Some(5), 7, &second).await, outcome(&[0, 1], &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn first_vote_of_an_id_counts_in_all_stores_and_the_later_one_is_reported() {
    let environment = TestEnvironment::new("conflict").await;
    let mut random = fastrand::Rng::with_seed(5);
    let mut events: Vec<_> = (0..50)
        .map(|id| event(&mut random, Some(Uuid::from_u128(id + 1))))
        .collect();
    for index in 0..50 {
        let mut other = events[index].clone();
        other.vote.album = Album::parse(format!("Other {index}")).unwrap();
        events.push(other);
    }
    // An ordinary repeat is not a conflict.
    events.push(events[0].clone());
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    let conflicts = async || {
        let mut sum = 0;
        for route in Route::ALL {
            let series = format!("consumer_conflicting_votes_total{{route=\"{route}\"}}");
            sum += consumer.metric(&series).await.unwrap();
        }
        sum
    };
    assert_eq!(conflicts().await, 0, "each series exists from the start");
    send(&environment.writer, &events).await;
    wait_for("all conflicts are reported", async || conflicts().await == 50).await;
    assert_eq!(consumer.processed().await, events.len() as u64);
    environment.assert_holds_exactly(&events).await;
    let expected = expected(&events);
    assert!(expected.album.keys().all(|album| !album.contains("Other")));
    let logged = environment.logged().await;
    assert!(logged.values().all(|document| !document.album.contains("Other")));
    assert!(reconcile(&environment, &[]).is_reconciled());
    assert!(consumer.terminate().await.success());
}
