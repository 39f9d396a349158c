//! The use case with a sink that the test controls: which votes are rejected, when, and how they are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ingest::{
    Admission, Availability, EncodedVote, Ingest, IngestError, Limits, MAX_BATCH_VOTES, MemoryBudget,
    Position, RequestMetrics, ServerLimit, Sink, SinkError,
};
use prometheus::Registry;
use tokio::sync::Notify;
use vote::{Draft, Malformed, Route};

const TIME_LIMIT: Duration = Duration::from_millis(50);

/// Acknowledges one vote per release.
struct ManualSink {
    release: Notify,
    availability: Availability,
    publish_calls: AtomicU32,
}

impl Sink for ManualSink {
    async fn publish(&self, _: EncodedVote) -> Result<Position, SinkError> {
        self.publish_calls.fetch_add(1, Ordering::Relaxed);
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

struct TestEnvironment {
    registry: Registry,
    sink: Arc<ManualSink>,
    ingest: Arc<Ingest<ManualSink>>,
}

fn environment(max_in_flight: u32) -> TestEnvironment {
    let registry = Registry::new();
    let sink = Arc::new(ManualSink {
        release: Notify::new(),
        availability: Availability::default(),
        publish_calls: AtomicU32::new(0),
    });
    sink.availability.set(&Ok(()));
    let metrics = RequestMetrics::for_route(&registry, &[0.001, 1.0], Route::Rest).unwrap();
    let limits = Limits {
        admission: Admission::new(max_in_flight),
        memory: Arc::new(MemoryBudget::new(0)),
        deadline: TIME_LIMIT,
        catalogue: None,
    };
    let ingest = Ingest::new(Route::Rest, Arc::clone(&sink), metrics, limits);
    TestEnvironment {
        registry,
        sink,
        ingest: Arc::new(ingest),
    }
}

impl TestEnvironment {
    /// The non-zero counts of `ingest_request_duration_seconds` by outcome.
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

    async fn vote(&self) -> Result<ingest::Receipt, IngestError> {
        let timer = self.ingest.start_timer();
        let result = self.ingest.accept(&timer, valid_draft()).await;
        timer.finish(&result);
        result
    }
}

fn valid_draft() -> Draft {
    Draft::from_json(br#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#).unwrap()
}

#[tokio::test]
async fn receipt_follows_the_acknowledgement_of_the_sink() {
    let environment = environment(10);
    let ingest = Arc::clone(&environment.ingest);
    let waiting = tokio::spawn(async move {
        let timer = ingest.start_timer();
        let result = ingest.accept(&timer, valid_draft()).await;
        timer.finish(&result);
        result
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert!(environment.outcomes().is_empty());
    environment.sink.release.notify_one();
    assert_eq!(
        waiting.await.unwrap().unwrap().position,
        Position {
            partition: 1,
            offset: 7
        }
    );
    assert_eq!(environment.outcomes(), [("accepted".to_owned(), 1)]);
    assert!(environment.in_flight().abs() < f64::EPSILON);
}

#[tokio::test]
async fn disconnected_client_is_counted_as_cancelled() {
    let environment = environment(10);
    tokio::select! {
        biased;
        result = environment.vote() => unreachable!("the sink acknowledged nothing: {result:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(environment.outcomes(), [("cancelled".to_owned(), 1)]);
    assert!(environment.in_flight().abs() < f64::EPSILON);
}

#[tokio::test]
async fn vote_beyond_the_limit_is_rejected_at_once_and_its_permit_is_freed() {
    let environment = environment(1);
    let first = environment.vote();
    let second = async {
        tokio::task::yield_now().await;
        let rejected = environment.vote().await;
        environment.sink.release.notify_one();
        rejected
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok());
    assert_eq!(second, Err(IngestError::Overloaded));
    environment.sink.release.notify_one();
    assert!(environment.vote().await.is_ok());
    assert_eq!(
        environment.outcomes(),
        [("accepted".to_owned(), 2), ("overloaded".to_owned(), 1)]
    );
}

#[tokio::test]
async fn deadline_error_reports_an_unavailable_sink() {
    let environment = environment(10);
    assert_eq!(environment.vote().await, Err(IngestError::Deadline));
    let outage = async {
        tokio::task::yield_now().await;
        environment
            .sink
            .availability
            .set(&Err("no broker responds".to_owned()));
    };
    let (result, ()) = tokio::join!(environment.vote(), outage);
    assert_eq!(
        result,
        Err(IngestError::Unavailable("no broker responds".to_owned()))
    );
    // The sink is known to be down, so it receives no vote.
    let publish_calls = environment.sink.publish_calls.load(Ordering::Relaxed);
    assert!(matches!(
        environment.vote().await,
        Err(IngestError::Unavailable(_))
    ));
    assert_eq!(
        environment.sink.publish_calls.load(Ordering::Relaxed),
        publish_calls
    );
}

#[tokio::test]
async fn batch_is_admitted_as_a_whole_and_checked_vote_by_vote() {
    let environment = environment(3);
    let batch = |drafts: Vec<Result<Draft, Malformed>>| {
        let timers = environment.ingest.start_timer().split(drafts.len());
        environment.ingest.accept_batch(timers, drafts)
    };
    let limit = ServerLimit::VotesInFlight(3);
    assert_eq!(
        batch(vec![Ok(valid_draft()); 4]).await,
        Err(IngestError::AboveServerLimit(limit))
    );
    let (waiting, rejected) = tokio::join!(environment.vote(), batch(vec![Ok(valid_draft()); 3]));
    assert_eq!(waiting, Err(IngestError::Deadline));
    assert_eq!(rejected, Err(IngestError::Overloaded));
    assert_eq!(
        batch(vec![Ok(valid_draft()); MAX_BATCH_VOTES + 1]).await,
        Err(IngestError::BatchTooLarge)
    );
    environment.sink.release.notify_one();
    let results = batch(vec![
        Ok(Draft::default()),
        Ok(valid_draft()),
        Err(Malformed("no object".to_owned())),
    ])
    .await
    .unwrap();
    assert!(matches!(results[0], Err(IngestError::Invalid(_))));
    assert!(results[1].is_ok());
    assert_eq!(results[2], Err(IngestError::Malformed("no object".to_owned())));
    let votes_over_the_limit = u64::try_from(MAX_BATCH_VOTES).unwrap() + 1;
    assert_eq!(
        environment.outcomes(),
        [
            ("accepted".to_owned(), 1),
            ("deadline".to_owned(), 1),
            ("invalid".to_owned(), 2 + 4 + votes_over_the_limit),
            ("overloaded".to_owned(), 3)
        ]
    );
}

#[tokio::test]
async fn group_is_admitted_vote_by_vote() {
    let environment = environment(2);
    let drafts = [
        Ok(valid_draft()),
        Err(Malformed("no message".to_owned())),
        Ok(valid_draft()),
        Ok(valid_draft()),
    ];
    let votes = drafts.map(|draft| (environment.ingest.start_timer(), draft));
    let release = async {
        environment.sink.release.notify_one();
        tokio::task::yield_now().await;
        environment.sink.release.notify_one();
    };
    let (results, ()) = tokio::join!(environment.ingest.accept_group(votes.into()), release);
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    assert!(results[0].is_ok());
    assert_eq!(results[1], Err(IngestError::Malformed("no message".to_owned())));
    assert!(results[2].is_ok());
    assert_eq!(results[3], Err(IngestError::Overloaded));
    // The votes of the group are no longer in flight.
    environment.sink.release.notify_one();
    assert!(environment.vote().await.is_ok());
}

#[tokio::test]
async fn vote_of_a_batch_that_was_acknowledged_before_the_deadline_has_a_receipt() {
    let environment = environment(3);
    environment.sink.release.notify_one();
    let timers = environment.ingest.start_timer().split(3);
    let drafts = vec![Ok::<_, Malformed>(valid_draft()); 3];
    let results = environment.ingest.accept_batch(timers, drafts).await.unwrap();
    assert!(results[0].is_ok());
    assert_eq!(
        results[1..],
        [Err(IngestError::Deadline), Err(IngestError::Deadline)]
    );
}
