//! Each vote is counted and logged exactly once.

use uuid::Uuid;
use vote::Route;

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
    assert_eq!((document.year.as_str(), document.rank.as_str()), ("1997", "9.5"));
    assert_eq!(document.route, vote.route.as_str());
    assert_eq!(
        document.received_at.timestamp_millis(),
        vote.received_at_us / 1_000
    );
    assert!(document.consumed_at >= document.received_at);
    let indexes = environment.log.list_index_names().await.unwrap();
    assert!(
        indexes.contains(&"received_at_-1__id_-1".to_owned()),
        "{indexes:?}"
    );
    assert!(consumer.terminate().await.success());
}
