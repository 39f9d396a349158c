//! The spans of applied batches: one span for each batch, with links to its votes, and a span in the trace of each vote. The
//! writes to the stores are children of both, so that the trace of a vote is complete. Only sampled votes have a trace; a
//! batch without one has no span.

use std::future::Future;
use std::time::SystemTime;

use opentelemetry::trace::{Link, Span, SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::batch::BatchContent;

/// Creates the spans of batches.
#[derive(Clone, Debug)]
pub struct BatchTracer {
    tracer: SdkTracer,
    topic: String,
    group: String,
}

/// The spans of a batch that is being applied.
#[derive(Debug)]
pub(crate) struct BatchTrace {
    tracer: BatchTracer,
    partition: i32,
    records: usize,
    started: SystemTime,
    votes: Vec<TracedVote>,
    writes: Vec<StoreWrite>,
}

/// A sampled vote.
#[derive(Debug)]
struct TracedVote {
    vote_id: String,
    offset: i64,
    /// The span that wrote its record.
    writer: SpanContext,
}

/// A write of the whole batch, until it succeeded.
#[derive(Clone, Copy, Debug)]
struct StoreWrite {
    /// The store, as the metric `consumer_apply_duration_seconds` names it.
    store: &'static str,
    started: SystemTime,
    ended: SystemTime,
}

impl BatchTracer {
    /// For batches of `topic` that the members of `group` apply. `None` if traces are off.
    pub fn new(tracer: Option<SdkTracer>, topic: &str, group: &str) -> Option<Self> {
        tracer.map(|tracer| Self {
            tracer,
            topic: topic.to_owned(),
            group: group.to_owned(),
        })
    }

    /// Starts the spans of a batch. `None` if no vote is sampled.
    pub(crate) fn start(&self, partition: i32, content: &BatchContent) -> Option<BatchTrace> {
        let votes = content.votes.iter().filter_map(|vote| {
            Some(TracedVote {
                writer: vote.span_context.as_deref()?.clone(),
                vote_id: vote.event.vote_id.to_string(),
                offset: vote.offset,
            })
        });
        let votes: Vec<_> = votes.collect();
        (!votes.is_empty()).then(|| BatchTrace {
            tracer: self.clone(),
            partition,
            records: content.votes.len() + content.dead_letters.len(),
            started: SystemTime::now(),
            votes,
            writes: Vec::new(),
        })
    }

    /// A span of kind consumer, with the attributes that the semantic conventions name.
    fn process(&self, partition: i32, attributes: [KeyValue; 2]) -> SpanBuilder {
        let common = [
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", self.topic.clone()),
            KeyValue::new("messaging.destination.partition.id", partition.to_string()),
            KeyValue::new("messaging.consumer.group.name", self.group.clone()),
        ];
        SpanBuilder::from_name(format!("process {}", self.topic))
            .with_kind(SpanKind::Consumer)
            .with_attributes(common.into_iter().chain(attributes))
    }

    /// A span from `started` to `ended`, with the writes as its children. Returns its context.
    fn add_span(
        &self,
        builder: SpanBuilder,
        parent: &Context,
        (started, ended): (SystemTime, SystemTime),
        writes: &[StoreWrite],
    ) -> SpanContext {
        let span = self
            .tracer
            .build_with_context(builder.with_start_time(started), parent);
        let context = Context::new().with_span(span);
        for write in writes {
            let builder = SpanBuilder::from_name(write.store)
                .with_kind(SpanKind::Client)
                .with_start_time(write.started)
                .with_attributes([KeyValue::new("db.system.name", write.store)]);
            let mut child = self.tracer.build_with_context(builder, &context);
            child.end_with_timestamp(write.ended);
        }
        context.span().end_with_timestamp(ended);
        context.span().span_context().clone()
    }
}

/// Runs a write to a store, and notes its time if the batch has a trace.
pub(crate) async fn traced_write<T>(
    trace: &mut Option<BatchTrace>,
    store: &'static str,
    write: impl Future<Output = Option<T>>,
) -> Option<T> {
    let Some(trace) = trace else {
        return write.await;
    };
    let started = SystemTime::now();
    let value = write.await?;
    trace.writes.push(StoreWrite {
        store,
        started,
        ended: SystemTime::now(),
    });
    Some(value)
}

impl BatchTrace {
    /// Creates the spans. Call it when the batch is applied: a batch that is applied again has no spans of its first attempt.
    pub(crate) fn finish(self) {
        let times = (self.started, SystemTime::now());
        let tracer = &self.tracer;
        let links = self.votes.iter();
        let links = links.map(|vote| Link::new(vote.writer.clone(), Vec::new(), 0));
        let count = i64::try_from(self.records).unwrap_or(i64::MAX);
        let builder = tracer
            .process(
                self.partition,
                [
                    KeyValue::new("messaging.batch.message_count", count),
                    KeyValue::new("dualpath.sampled_votes", self.votes.len() as i64),
                ],
            )
            .with_links(links.collect());
        let batch = tracer.add_span(builder, &Context::new(), times, &self.writes);
        for vote in &self.votes {
            let builder = tracer
                .process(
                    self.partition,
                    [
                        KeyValue::new("messaging.kafka.offset", vote.offset),
                        KeyValue::new("messaging.kafka.message.key", vote.vote_id.clone()),
                    ],
                )
                .with_links(vec![Link::new(batch.clone(), Vec::new(), 0)]);
            let parent = Context::new().with_remote_span_context(vote.writer.clone());
            tracer.add_span(builder, &parent, times, &self.writes);
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka::Record;
    use kafka::source::Delivery;
    use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use uuid::Uuid;
    use vote::{Draft, Route, ValidVote, VoteEvent};

    use super::*;
    use crate::batch::Batch;
    use crate::dead_letter_limit::DeadLetterLevel;

    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const NOT_SAMPLED: &str = "00-aaa92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn record(offset: i64, traceparent: Option<&str>) -> Record {
        let draft = Draft::from_json(br#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#);
        let ValidVote { vote, .. } = draft.unwrap().validate().unwrap();
        let event = VoteEvent {
            vote_id: Uuid::from_u128(offset.unsigned_abs().into()),
            id_from_client: false,
            vote,
            route: Route::Rest,
            received_at_us: 0,
        };
        let headers = traceparent.map(|value| ("traceparent".to_owned(), value.as_bytes().to_vec()));
        Record {
            partition: 2,
            offset,
            key: None,
            payload: event.encode(),
            headers: headers.into_iter().collect(),
            timestamp_ms: None,
        }
    }

    /// Applies a batch whose votes have these headers. Returns its spans.
    async fn spans(traceparents: &[Option<&str>]) -> Vec<SpanData> {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let tracer = BatchTracer::new(Some(provider.tracer("test")), "votes", "counters").unwrap();
        let records = (5..).zip(traceparents);
        let mut batch = Batch {
            topic_id: Uuid::nil(),
            partition: 2,
            received_at: std::time::Instant::now(),
            epoch: 0,
            next_offset: 5 + i64::try_from(traceparents.len()).unwrap(),
            level: DeadLetterLevel::default(),
            records: records
                .map(|(offset, traceparent)| Delivery::from(record(offset, *traceparent)).into())
                .collect(),
        };
        let content = batch.take_content(0).unwrap();
        let mut trace = tracer.start(batch.partition, &content);
        for store in ["mongodb", "redis"] {
            let written = traced_write(&mut trace, store, std::future::ready(Some(()))).await;
            assert_eq!(written, Some(()));
        }
        if let Some(trace) = trace {
            trace.finish();
        }
        exporter.get_finished_spans().unwrap()
    }

    fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
        spans.iter().filter(|span| span.name == name).collect()
    }

    #[tokio::test]
    async fn batch_links_to_its_votes_and_continues_the_trace_of_each() {
        let other = SAMPLED.replace("4bf9", "5bf9");
        let spans = spans(&[Some(SAMPLED), None, Some(NOT_SAMPLED), Some(&other)]).await;
        let process = named(&spans, "process votes");
        assert_eq!(process.len(), 3, "{spans:?}");
        let (batches, votes): (Vec<_>, Vec<_>) = process
            .into_iter()
            .partition(|span| span.parent_span_id == SpanId::INVALID);
        let [batch] = batches[..] else {
            panic!("one span has no parent: {spans:?}");
        };
        let trace_ids: Vec<_> = votes.iter().map(|span| span.span_context.trace_id()).collect();
        let linked: Vec<_> = batch
            .links
            .iter()
            .map(|link| link.span_context.trace_id())
            .collect();
        assert_eq!(linked, trace_ids);
        assert_eq!(
            trace_ids[0],
            TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap()
        );
        for span in votes {
            assert_eq!(span.parent_span_id, SpanId::from_hex("00f067aa0ba902b7").unwrap());
            assert_eq!(span.links.len(), 1);
            assert_eq!(span.links[0].span_context, batch.span_context);
        }
        assert!(spans.iter().all(|span| span.start_time <= span.end_time));
    }

    #[tokio::test]
    async fn trace_of_a_vote_contains_the_writes_to_both_stores() {
        let spans = spans(&[Some(SAMPLED)]).await;
        for store in ["mongodb", "redis"] {
            let writes = named(&spans, store);
            assert_eq!(writes.len(), 2, "one in each trace");
            for write in writes {
                let parent = spans
                    .iter()
                    .find(|span| span.span_context.span_id() == write.parent_span_id)
                    .unwrap();
                assert_eq!(parent.name, "process votes");
                assert_eq!(parent.span_context.trace_id(), write.span_context.trace_id());
            }
        }
    }

    #[tokio::test]
    async fn batch_without_a_sampled_vote_has_no_span() {
        assert!(
            spans(&[None, Some(NOT_SAMPLED), Some("invalid")])
                .await
                .is_empty()
        );
        assert!(BatchTracer::new(None, "votes", "counters").is_none());
    }
}
