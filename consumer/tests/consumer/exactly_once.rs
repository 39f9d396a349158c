//! Each vote is counted and logged exactly once.

use mongodb::bson;
use uuid::Uuid;
use vote::Route;
use vote_log::LogKey;

use crate::environment::TestEnvironment;
use crate::votes::{event, expected, mixed, send};

#[tokio::test(flavor = "multi_thread")]
async fn mixed_load_is_counted_and_logged_exactly_once() {
    let environment = TestEnvironment::new("exact").await;
    let mut random = fastrand::Rng::with_seed(1);
    let events = mixed(&mut random, 20_000);
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    for route in Route::ALL {
        for result in ["applied", "duplicate", "dead_letter"] {
            let series = format!("consumer_votes_total{{result=\"{result}\",route=\"{route}\"}}");
            assert_eq!(consumer.metric(&series).await, Some(0), "{series}");
        }
    }

    send(&environment.writer, &events).await;
    let tallies = expected(&events);
    environment.wait_until_counted(tallies.total).await;
    environment.assert_holds_exactly(&events).await;

    let mut all_duplicates = 0;
    for route in Route::ALL {
        let metric = async |name: &str| consumer.metric(name).await.unwrap();
        let applied = metric(&format!(
            "consumer_votes_total{{result=\"applied\",route=\"{route}\"}}"
        ))
        .await;
        assert_eq!(applied, tallies.route[route.as_str()]);
        let observed = metric(&format!("consumer_end_to_end_seconds_count{{route=\"{route}\"}}")).await;
        assert_eq!(observed, applied);
        all_duplicates += metric(&format!(
            "consumer_votes_total{{result=\"duplicate\",route=\"{route}\"}}"
        ))
        .await;
    }
    assert_eq!(all_duplicates, events.len() as u64 - tallies.total);
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn document_has_the_fields_of_the_vote_and_its_offset() {
    let environment = TestEnvironment::new("document").await;
    let vote = event(&mut fastrand::Rng::with_seed(2), Some(Uuid::from_u128(7)));
    let (partition, offset) = environment
        .writer
        .write(&crate::votes::record(&vote))
        .await
        .unwrap();
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(1).await;
    let logged = environment.logged().await;
    let document = &logged[&vote.vote_id.to_string()];
    assert_eq!((document.partition, document.offset), (partition, offset));
    assert_eq!(document.name, vote.vote.name.as_str());
    assert_eq!(document.album, vote.vote.album.as_str());
    assert_eq!((&*document.year, &*document.rank), ("1997", "9.5"));
    assert_eq!(document.route, vote.route.as_str());
    assert_eq!(
        document.received_at.timestamp_millis(),
        vote.received_at_us / 1_000
    );
    assert!(document.consumed_at >= document.received_at);
    assert_eq!(document.key, LogKey::new(document.received_at, vote.vote_id));
    assert_eq!(
        document.chosen_id.map(bson::Uuid::bytes),
        Some(vote.vote_id.into_bytes())
    );
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_whose_client_repeats_its_id_later_is_logged_once_and_a_new_id_needs_no_index() {
    let environment = TestEnvironment::new("repeated_later").await;
    let random = &mut fastrand::Rng::with_seed(3);
    // The key has the time of reception, so that the two copies have different keys.
    let first = event(random, Some(Uuid::from_u128(7)));
    let mut second = first.clone();
    second.received_at_us += 3_600_000_000;
    let generated = event(random, None);
    for vote in [&first, &second, &generated] {
        environment
            .writer
            .write(&crate::votes::record(vote))
            .await
            .unwrap();
    }
    let consumer = environment.consumer(&[]);
    environment.wait_until_applied(3).await;
    let logged = environment.logged().await;
    assert_eq!(logged.len(), 2);
    let kept = &logged[&first.vote_id.to_string()];
    assert_eq!(kept.received_at.timestamp_millis(), first.received_at_us / 1_000);
    assert_eq!(logged[&generated.vote_id.to_string()].chosen_id, None);
    assert!(consumer.terminate().await.success());
}
