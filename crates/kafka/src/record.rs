//! The records of a topic: how a vote becomes a record, and how a stored record is read.

use ingest::{EncodedVote, TRACEPARENT, TRACESTATE, TraceContext, TraceHeaders};
use opentelemetry::trace::SpanContext;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::FutureRecord;

/// A record as it is stored in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; empty for a tombstone.
    pub payload: Vec<u8>,
    /// Names and values of the headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The record's timestamp: milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    pub(crate) fn from_message(message: &impl Message) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }

    /// The span that wrote the record, if its trace is sampled. `None` without headers, or if they are invalid.
    pub fn span_context(&self) -> Option<SpanContext> {
        if self.headers.is_empty() {
            return None;
        }
        let values = |searched: &'static str| {
            let headers = self.headers.iter().filter(move |(name, _)| name == searched);
            headers.map(|(_, value)| value.as_slice())
        };
        let headers = TraceHeaders::new(values(TRACEPARENT), values(TRACESTATE));
        headers.span_context().filter(SpanContext::is_sampled)
    }
}

/// Builds the record of a vote. `key` is the vote's id as text; without `partition`, the key selects the partition.
/// Only the record of a sampled vote has headers: its trace context.
pub(crate) fn vote_record<'a>(
    topic: &'a str,
    key: &'a str,
    partition: Option<i32>,
    vote: &'a EncodedVote,
) -> FutureRecord<'a, str, Vec<u8>> {
    let mut record = FutureRecord::to(topic).key(key).payload(&vote.payload);
    record.partition = partition;
    record.headers = vote
        .trace
        .as_deref()
        .filter(|trace| trace.is_sampled())
        .map(trace_headers);
    record
}

fn trace_headers(trace: &TraceContext) -> OwnedHeaders {
    let add = |headers: OwnedHeaders, (name, value): (&str, String)| {
        headers.insert(Header {
            key: name,
            value: Some(&value),
        })
    };
    trace.headers().into_iter().fold(OwnedHeaders::new(), add)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};
    use uuid::Uuid;

    use super::*;

    fn span(flags: TraceFlags) -> SpanContext {
        let state = TraceState::from_key_value([("a", "b")]).unwrap();
        SpanContext::new(TraceId::from(1), SpanId::from(2), flags, true, state)
    }

    /// The headers of the record of a vote with this trace.
    fn headers(trace: Option<TraceContext>) -> Vec<(String, Vec<u8>)> {
        let vote = EncodedVote {
            vote_id: Uuid::nil(),
            id_from_client: false,
            payload: b"an event".to_vec(),
            deadline: Instant::now(),
            trace: trace.map(Box::new),
        };
        let record = vote_record("votes", "key", Some(3), &vote);
        assert_eq!(
            (record.key, record.payload, record.partition),
            (Some("key"), Some(&vote.payload), Some(3))
        );
        let headers = record
            .headers
            .as_ref()
            .into_iter()
            .flat_map(|headers| headers.iter());
        headers
            .map(|header| (header.key.to_owned(), header.value.unwrap().to_vec()))
            .collect()
    }

    fn record(headers: Vec<(String, Vec<u8>)>) -> Record {
        Record {
            partition: 0,
            offset: 0,
            key: None,
            payload: Vec::new(),
            headers,
            timestamp_ms: None,
        }
    }

    #[test]
    fn record_of_a_sampled_vote_carries_its_trace() {
        let written = headers(Some(TraceContext::new(span(TraceFlags::SAMPLED))));
        let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [TRACEPARENT, TRACESTATE]);
        assert_eq!(record(written).span_context(), Some(span(TraceFlags::SAMPLED)));
    }

    #[test]
    fn record_of_a_vote_that_is_not_sampled_has_no_header() {
        assert!(headers(None).is_empty());
        let not_sampled = TraceContext::new(span(TraceFlags::NOT_SAMPLED));
        assert!(headers(Some(not_sampled)).is_empty());
    }

    #[test]
    fn other_and_invalid_headers_are_no_trace() {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let parent = "00-00000000000000000000000000000001-0000000000000002-01";
        for headers in [
            vec![],
            vec![header("other", parent)],
            vec![header(TRACEPARENT, "invalid")],
            vec![header(TRACEPARENT, parent), header(TRACEPARENT, parent)],
            vec![header(TRACEPARENT, &parent.replace("-01", "-00"))],
        ] {
            assert_eq!(record(headers.clone()).span_context(), None, "{headers:?}");
        }
        assert!(record(vec![header(TRACEPARENT, parent)]).span_context().is_some());
    }
}
