//! Sampling of spans that have links and no parent, such as that of a batch of records. Sampled alone at 1 %, such a span
//! would be missing from nearly every trace that it links to.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingResult, ShouldSample};

/// Treats the first sampled link of a span without a parent as its parent, and leaves the decision to another sampler.
#[derive(Clone, Debug)]
pub(super) struct LinkSampler(Box<dyn ShouldSample>);

impl LinkSampler {
    pub(super) fn new(sampler: Box<dyn ShouldSample>) -> Self {
        Self(sampler)
    }
}

impl ShouldSample for LinkSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let has_parent = parent.is_some_and(|context| context.span().span_context().is_valid());
        let contexts = links.iter().map(|link| &link.span_context);
        let sampled = contexts
            .filter(|_| !has_parent)
            .find(|context| context.is_sampled());
        let Some(linked) = sampled else {
            return self
                .0
                .should_sample(parent, trace_id, name, kind, attributes, links);
        };
        let context = Context::new().with_remote_span_context(linked.clone());
        let result = self
            .0
            .should_sample(Some(&context), linked.trace_id(), name, kind, attributes, links);
        // The span starts a new trace, so it does not get the state of the linked one.
        SamplingResult {
            trace_state: TraceState::default(),
            ..result
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};
    use opentelemetry_sdk::trace::{Sampler, SamplingDecision};

    use super::*;

    fn parent_based(root: Sampler) -> Sampler {
        Sampler::ParentBased(Box::new(root))
    }

    fn context(flags: TraceFlags) -> SpanContext {
        let (trace_id, span_id) = (TraceId::from(7), SpanId::from(8));
        let state = TraceState::from_key_value([("a", "b")]).unwrap();
        SpanContext::new(trace_id, span_id, flags, true, state)
    }

    fn sample(sampler: Sampler, parent: Option<SpanContext>, links: &[TraceFlags]) -> SamplingResult {
        let links: Vec<_> = links
            .iter()
            .map(|flags| Link::new(context(*flags), Vec::new(), 0))
            .collect();
        let parent = parent.map(|parent| Context::new().with_remote_span_context(parent));
        LinkSampler::new(Box::new(sampler)).should_sample(
            parent.as_ref(),
            TraceId::from(9),
            "process votes",
            &SpanKind::Consumer,
            &[],
            &links,
        )
    }

    #[test]
    fn span_with_a_sampled_link_is_sampled() {
        let links = [TraceFlags::NOT_SAMPLED, TraceFlags::SAMPLED];
        let result = sample(parent_based(Sampler::AlwaysOff), None, &links);
        assert_eq!(result.decision, SamplingDecision::RecordAndSample);
        assert_eq!(result.trace_state, TraceState::default());
        // A sampler that ignores parents decides alone.
        let result = sample(Sampler::AlwaysOff, None, &links);
        assert_eq!(result.decision, SamplingDecision::Drop);
    }

    #[test]
    fn span_without_a_sampled_link_is_sampled_like_any_other() {
        for links in [&[][..], &[TraceFlags::NOT_SAMPLED]] {
            let result = sample(parent_based(Sampler::AlwaysOff), None, links);
            assert_eq!(result.decision, SamplingDecision::Drop);
            let result = sample(parent_based(Sampler::AlwaysOn), None, links);
            assert_eq!(result.decision, SamplingDecision::RecordAndSample);
        }
    }

    #[test]
    fn parent_wins_over_links() {
        let parent = Some(context(TraceFlags::NOT_SAMPLED));
        let result = sample(parent_based(Sampler::AlwaysOn), parent, &[TraceFlags::SAMPLED]);
        assert_eq!(result.decision, SamplingDecision::Drop);
    }
}
