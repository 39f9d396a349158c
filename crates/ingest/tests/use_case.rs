//! The use case over a sink that does as it is told: what is refused, when, and how it is counted.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ingest::{
    Admission, Availability, CallMetrics, EncodedVote, HeldBytes, Ingest, Limits, MAX_BATCH_VOTES, Position,
    Refusal, Sink, SinkError,
};
use prometheus::Registry;
use tokio::sync::Notify;
use vote::{Draft, Malformed, Route};

const TIME_LIMIT: Duration = Duration::from_millis(50);

/// Acknowledges when released, or never.
struct HeldSink {
    release: Notify,
    availability: Availability,
    handed_over: AtomicU32,
}

impl Sink for HeldSink {
    async fn publish(&self, _: EncodedVote) -> Result<Position, SinkError> {
        self.handed_over.fetch_add(1, Ordering::Relaxed);
        self.release.notified().await;
        Ok(Position {
            partition: 1,
            offset: 7,
        })
    }

    fn available(&self) -> Result<(), SinkError> {
        self.availability.state()
    }
}

struct Bed {
    registry: Registry,
    sink: Arc<HeldSink>,
    ingest: Arc<Ingest<HeldSink>>,
}

fn bed(max_in_flight: u32) -> Bed {
    let registry = Registry::new();
    let sink = Arc::new(HeldSink {
        release: Notify::new(),
        availability: Availability::default(),
        handed_over: AtomicU32::new(0),
    });
    sink.availability.set(&Ok(()));
    let metrics = CallMetrics::for_route(&registry, &[0.001, 1.0], Route::Rest).unwrap();
    let limits = Limits {
        admission: Admission::new(max_in_flight),
        held: Arc::new(HeldBytes::new(0)),
        deadline: TIME_LIMIT,
    };
    let ingest = Ingest::new(Route::Rest, Arc::clone(&sink), metrics, limits);
    Bed {
        registry,
        sink,
        ingest: Arc::new(ingest),
    }
}

impl Bed {
    /// Observations of `ingest_request_duration_seconds` by outcome, those that are not zero.
    fn outcomes(&self) -> Vec<(String, u64)> {
        let families = self.registry.gather();
        let durations = families
            .iter()
            .find(|family| family.name() == "ingest_request_duration_seconds")
            .unwrap();
        let counts = durations.get_metric().iter().map(|metric| {
            let label = metric
                .get_label()
                .iter()
                .find(|label| label.name() == "outcome")
                .unwrap();
            (
                label.value().to_owned(),
                metric.get_histogram().get_sample_count(),
            )
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn in_flight(&self) -> f64 {
        let families = self.registry.gather();
        let gauge = families
            .iter()
            .find(|family| family.name() == "ingest_inflight_requests")
            .unwrap();
        gauge.get_metric()[0].get_gauge().get_value()
    }

    async fn vote(&self) -> Result<ingest::Receipt, Refusal> {
        let call = self.ingest.begin();
        let result = self.ingest.accept(&call, good()).await;
        call.finish(&result);
        result
    }
}

fn good() -> Draft {
    Draft::from_json(br#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#).unwrap()
}

#[tokio::test]
async fn a_receipt_comes_only_after_the_sink_has_acknowledged() {
    let bed = bed(10);
    let ingest = Arc::clone(&bed.ingest);
    let waiting = tokio::spawn(async move {
        let call = ingest.begin();
        let result = ingest.accept(&call, good()).await;
        call.finish(&result);
        result
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert!(bed.outcomes().is_empty());
    bed.sink.release.notify_one();
    assert_eq!(
        waiting.await.unwrap().unwrap().position,
        Position {
            partition: 1,
            offset: 7
        }
    );
    assert_eq!(bed.outcomes(), [("accepted".to_owned(), 1)]);
    assert!(bed.in_flight().abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_cancelled() {
    let bed = bed(10);
    tokio::select! {
        biased;
        result = bed.vote() => unreachable!("nobody acknowledged: {result:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(bed.outcomes(), [("cancelled".to_owned(), 1)]);
    assert!(bed.in_flight().abs() < f64::EPSILON);
}

#[tokio::test]
async fn past_the_limit_a_vote_is_refused_at_once_and_room_comes_back() {
    let bed = bed(1);
    let first = bed.vote();
    let second = async {
        tokio::task::yield_now().await;
        let refused = bed.vote().await;
        bed.sink.release.notify_one();
        refused
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok());
    assert_eq!(second, Err(Refusal::Overloaded));
    bed.sink.release.notify_one();
    assert!(bed.vote().await.is_ok());
    assert_eq!(
        bed.outcomes(),
        [("accepted".to_owned(), 2), ("overloaded".to_owned(), 1)]
    );
}

#[tokio::test]
async fn the_deadline_names_its_reason() {
    let bed = bed(10);
    assert_eq!(bed.vote().await, Err(Refusal::Deadline));
    let outage = async {
        tokio::task::yield_now().await;
        bed.sink.availability.set(&Err("no broker answers".to_owned()));
    };
    let (result, ()) = tokio::join!(bed.vote(), outage);
    assert_eq!(result, Err(Refusal::Unavailable("no broker answers".to_owned())));
    // Known to be down: refused without being handed over.
    let handed_over = bed.sink.handed_over.load(Ordering::Relaxed);
    assert!(matches!(bed.vote().await, Err(Refusal::Unavailable(_))));
    assert_eq!(bed.sink.handed_over.load(Ordering::Relaxed), handed_over);
}

#[tokio::test]
async fn a_batch_is_admitted_as_a_whole_and_judged_vote_by_vote() {
    let bed = bed(3);
    let batch = |drafts: Vec<Result<Draft, Malformed>>| {
        let calls = bed.ingest.begin().split(drafts.len());
        bed.ingest.accept_batch(calls, drafts)
    };
    assert_eq!(batch(vec![Ok(good()); 4]).await, Err(Refusal::Overloaded));
    assert_eq!(
        batch(vec![Ok(good()); MAX_BATCH_VOTES + 1]).await,
        Err(Refusal::BatchTooLarge)
    );
    bed.sink.release.notify_one();
    let results = batch(vec![
        Ok(Draft::default()),
        Ok(good()),
        Err(Malformed("no object".to_owned())),
    ])
    .await
    .unwrap();
    assert!(matches!(results[0], Err(Refusal::Invalid(_))));
    assert!(results[1].is_ok());
    assert_eq!(results[2], Err(Refusal::Malformed("no object".to_owned())));
    let votes_over_the_limit = u64::try_from(MAX_BATCH_VOTES).unwrap() + 1;
    assert_eq!(
        bed.outcomes(),
        [
            ("accepted".to_owned(), 1),
            ("invalid".to_owned(), 2 + votes_over_the_limit),
            ("overloaded".to_owned(), 4)
        ]
    );
}
