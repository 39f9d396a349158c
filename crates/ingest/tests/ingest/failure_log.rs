//! The log of failures of the server: it has each reason, and its size does not depend on the number of votes.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingest::{
    Admission, EncodedVote, Ingest, IngestError, Limits, MemoryBudget, Position, RequestMetrics, Sink,
    SinkError, TraceHeaders, TracedCall,
};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prometheus::Registry;
use tracing::subscriber::DefaultGuard;
use vote::{Draft, Malformed, Route};

/// Longer than the interval of the summaries.
const PAUSE: Duration = Duration::from_millis(1_300);

/// Fails with an error that the test sets.
struct FailingSink(Mutex<SinkError>);

impl Sink for FailingSink {
    async fn publish(&self, _: EncodedVote) -> Result<Position, SinkError> {
        Err(self.0.lock().unwrap().clone())
    }

    fn available(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last call, without their common beginning.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| line.trim().replace("ingest::failure_log: votes failed ", ""))
            .collect()
    }
}

fn ingest(error: SinkError) -> Ingest<FailingSink> {
    let limits = Limits {
        admission: Admission::new(10_000),
        memory: Arc::new(MemoryBudget::new(0)),
        deadline: Duration::from_secs(5),
        catalogue: None,
    };
    let metrics = RequestMetrics::for_route(&Registry::new(), &[1.0], Route::Grpc).unwrap();
    Ingest::new(
        Route::Grpc,
        Arc::new(FailingSink(Mutex::new(error))),
        metrics,
        limits,
    )
}

fn valid_draft() -> Draft {
    Draft::from_json(br#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#).unwrap()
}

async fn send_votes(ingest: &Ingest<FailingSink>, votes: usize) {
    for _ in 0..votes {
        let timer = ingest.start_timer();
        let result = ingest.accept(&timer, valid_draft()).await;
        timer.finish(&result);
    }
}

async fn send_batch(ingest: &Ingest<FailingSink>, votes: usize) {
    let drafts: Vec<Result<Draft, Malformed>> = vec![Ok(valid_draft()); votes];
    ingest
        .accept_batch(ingest.start_timer().split(votes), drafts)
        .await
        .unwrap();
}

#[tokio::test]
async fn outage_writes_one_line_at_once_and_one_summary_per_interval() {
    let (log, _guard) = Log::capture();
    let ingest = ingest(SinkError::Unavailable("no broker responds".to_owned()));
    send_votes(&ingest, 1).await;
    let line = |votes: u32| {
        format!(r#"WARN route="grpc" outcome="unavailable" votes={votes} reason="no broker responds""#)
    };
    assert_eq!(log.take(), [line(1)]);
    send_votes(&ingest, 500).await;
    send_batch(&ingest, 1_000).await;
    assert!(log.take().is_empty());
    tokio::time::sleep(PAUSE).await;
    assert_eq!(log.take(), [line(1_500)]);

    // The outage continues, then ends; a later one is logged at once again.
    send_votes(&ingest, 20).await;
    assert!(log.take().is_empty());
    tokio::time::sleep(PAUSE).await;
    assert_eq!(log.take(), [line(20)]);
    tokio::time::sleep(PAUSE).await;
    assert!(log.take().is_empty());
    send_votes(&ingest, 1).await;
    assert_eq!(log.take(), [line(1)]);
}

#[tokio::test]
async fn every_kind_of_failure_is_logged_with_its_reason() {
    let (log, _guard) = Log::capture();
    let ingest = ingest(SinkError::Deadline);
    send_votes(&ingest, 2).await;
    let timer = ingest.start_timer();
    timer.finish(&Err(IngestError::Internal(
        "the topic \"votes\"\nis unknown".to_owned(),
    )));
    assert_eq!(
        log.take(),
        [
            r#"WARN route="grpc" outcome="deadline" votes=1 reason="Kafka did not acknowledge in time""#,
            r#"ERROR route="grpc" outcome="internal" votes=1 reason="the topic \"votes\"\nis unknown""#,
        ]
    );
    // Votes that no summary has counted are logged when the route ends.
    drop(ingest);
    assert_eq!(
        log.take(),
        [r#"WARN route="grpc" outcome="deadline" votes=1 reason="Kafka did not acknowledge in time""#]
    );
}

#[tokio::test]
async fn number_of_lines_is_bounded_for_reasons_that_all_differ() {
    let (log, _guard) = Log::capture();
    let ingest = ingest(SinkError::Deadline);
    for index in 0..1_000 {
        let error = IngestError::Unavailable(format!("connection {index} is broken"));
        ingest.start_timer().finish(&Err(error));
    }
    let lines = log.take();
    assert_eq!(lines.len(), 9, "{lines:?}");
    tokio::time::sleep(PAUSE).await;
    assert_eq!(
        log.take(),
        [r#"WARN route="grpc" outcome="unavailable" votes=991 reason="other reasons""#]
    );
}

#[tokio::test]
async fn errors_of_clients_are_not_logged() {
    let (log, _guard) = Log::capture();
    let ingest = ingest(SinkError::Full);
    send_votes(&ingest, 1).await;
    for error in [
        IngestError::Malformed("no JSON".to_owned()),
        IngestError::Invalid(Vec::new()),
        IngestError::SlowRequest,
        IngestError::ClientDisconnected,
    ] {
        ingest.start_timer().finish(&Err(error));
    }
    tokio::time::sleep(PAUSE).await;
    assert!(log.take().is_empty());
}

#[tokio::test]
async fn line_about_one_vote_names_its_trace() {
    let (log, _guard) = Log::capture();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .build();
    let ingest = ingest(SinkError::Deadline).with_tracer(Some(provider.tracer("test")));
    let call = TracedCall::Grpc {
        name: "votes.v1.VoteService/CastVote",
    };
    for trace_id in [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "5bf92f3577b34da6a3ce929d0e0e4736",
    ] {
        let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-00");
        let headers = || TraceHeaders::new([traceparent.as_bytes()].into_iter(), std::iter::empty());
        let mut timer = ingest.start_timer();
        timer.start_span(call, ingest.trace_parent(headers).as_ref());
        let result = ingest.accept(&timer, valid_draft()).await;
        timer.finish(&result);
    }
    let line = r#"WARN route="grpc" outcome="deadline" votes=1 reason="Kafka did not acknowledge in time""#;
    assert_eq!(
        log.take(),
        [format!("{line} trace_id=4bf92f3577b34da6a3ce929d0e0e4736")]
    );
    // A summary is not about one vote.
    drop(ingest);
    assert_eq!(log.take(), [line]);
}
