//! The trace context (W3C): read from the headers of a request, and written to the headers of the next hop.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header with the ids of a trace and of a span, and whether the trace is sampled.
pub const TRACEPARENT: &str = "traceparent";
/// The header with the data of tracing systems.
pub const TRACESTATE: &str = "tracestate";
/// A longer `tracestate` is left out: clients choose it, and it is stored with each sampled vote. Every tracing system must be
/// able to pass on this many characters.
const MAX_TRACESTATE_BYTES: usize = 512;

/// The headers of a request or of a record that carry its trace context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeaders<'a> {
    traceparent: Option<&'a str>,
    tracestate: String,
}

impl<'a> TraceHeaders<'a> {
    /// The values of [`TRACEPARENT`] and of [`TRACESTATE`], each of which may be repeated: `tracestate` is a list, but two
    /// values of `traceparent` are invalid.
    pub fn new(
        mut traceparents: impl Iterator<Item = &'a [u8]>,
        tracestates: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let (Some(traceparent), None) = (traceparents.next(), traceparents.next()) else {
            return Self::default();
        };
        let tracestates: Vec<_> = tracestates
            .filter_map(|value| str::from_utf8(value).ok())
            .collect();
        let tracestate = tracestates.join(",");
        let is_short = tracestate.len() <= MAX_TRACESTATE_BYTES;
        Self {
            traceparent: str::from_utf8(traceparent).ok(),
            tracestate: if is_short { tracestate } else { String::new() },
        }
    }

    /// The span that the headers name; `None` without headers, or if they are invalid.
    pub fn span_context(&self) -> Option<SpanContext> {
        let context = self.context();
        let span_context = context.span().span_context().clone();
        span_context.is_valid().then_some(span_context)
    }

    pub(crate) fn context(&self) -> Context {
        TraceContextPropagator::new().extract_with_context(&Context::new(), self)
    }
}

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => self.traceparent,
            TRACESTATE => Some(&self.tracestate),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// The trace context of a vote, for the next hop.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// The context of a span.
    pub fn new(span_context: SpanContext) -> Self {
        Self(span_context)
    }

    /// Whether the spans of the trace are exported.
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    /// The names and the values of the headers. There is no `tracestate` if it is empty.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = HeaderList::default();
        let context = Context::new().with_remote_span_context(self.0.clone());
        TraceContextPropagator::new().inject_context(&context, &mut headers);
        headers.0
    }
}

#[derive(Debug, Default)]
struct HeaderList(Vec<(&'static str, String)>);

impl Injector for HeaderList {
    fn set(&mut self, key: &str, value: String) {
        let name = [TRACEPARENT, TRACESTATE].into_iter().find(|name| *name == key);
        if let Some(name) = name.filter(|_| !value.is_empty()) {
            self.0.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers<'a>(traceparents: &[&'a str], tracestates: &[&'a str]) -> TraceHeaders<'a> {
        let bytes = |values: &[&'a str]| values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
        TraceHeaders::new(bytes(traceparents).into_iter(), bytes(tracestates).into_iter())
    }

    #[test]
    fn context_is_passed_on_unchanged() {
        let read = headers(&[PARENT], &["a=1", "b=2,c=3"]).span_context().unwrap();
        assert!(read.is_remote() && read.is_sampled());
        assert_eq!(
            TraceContext::new(read).headers(),
            [
                (TRACEPARENT, PARENT.to_owned()),
                (TRACESTATE, "a=1,b=2,c=3".to_owned())
            ]
        );
        let not_sampled = PARENT.replace("-01", "-00");
        let read = headers(&[&not_sampled], &[]).span_context().unwrap();
        let context = TraceContext::new(read);
        assert!(!context.is_sampled());
        assert_eq!(context.headers(), [(TRACEPARENT, not_sampled)]);
    }

    #[test]
    fn invalid_headers_are_ignored() {
        for traceparents in [
            &[][..],
            &[""],
            &["00"],
            &["no context"],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736é-00f067aa0ba902b7-01"],
            &[PARENT, PARENT],
        ] {
            assert_eq!(
                headers(traceparents, &["a=1"]).span_context(),
                None,
                "{traceparents:?}"
            );
        }
        let not_text = TraceHeaders::new([&b"\xff"[..]].into_iter(), std::iter::empty());
        assert_eq!(not_text.span_context(), None);
    }

    #[test]
    fn long_tracestate_is_left_out() {
        for (length, is_passed_on) in [(510, true), (511, false)] {
            let state = format!("a={}", "b".repeat(length / 2 - 1));
            let other = format!("c={}", "d".repeat(length - length / 2 - 2));
            let read = headers(&[PARENT], &[&state, &other]).span_context().unwrap();
            assert_eq!(
                TraceContext::new(read).headers().len() == 2,
                is_passed_on,
                "{length}"
            );
        }
    }

    #[test]
    fn invalid_tracestate_does_not_invalidate_its_traceparent() {
        let read = headers(&[PARENT], &["not a list"]).span_context().unwrap();
        assert_eq!(
            TraceContext::new(read).headers(),
            [(TRACEPARENT, PARENT.to_owned())]
        );
    }
}
