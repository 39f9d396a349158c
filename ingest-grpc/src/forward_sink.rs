//! The sink of the bridge: forwards each vote to its upstream, `ingest-grpc`, with a gRPC call. The call returns after
//! the vote is durable in Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::PathAndQuery;
use ingest::{Availability, EncodedVote, Position, Sink, SinkError, TraceContext};
use prost::Message;
use proto::votes::Receipt;
use service::Check;
use tonic::client::Grpc;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::codec::RawBytesCodec;
use crate::upstream_token::UpstreamToken;
use crate::{retry, status};

const FORWARD: &str = "/votes.v1.BridgeService/Forward";
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Failed probes in a row until the upstream counts as down. One slow response or one draining replica is not an
/// outage.
const FAILURES_UNTIL_DOWN: u32 = 2;
/// Publishes votes by forwarding them to `ingest-grpc`.
#[derive(Debug)]
pub(crate) struct ForwardSink {
    channel: Channel,
    token: Option<Arc<UpstreamToken>>,
    availability: Availability,
}

impl ForwardSink {
    /// Forwards over `channel`, with `token` if the upstream asks for one.
    pub(crate) fn new(channel: Channel, token: Option<Arc<UpstreamToken>>) -> Self {
        Self {
            channel,
            token,
            availability: Availability::default(),
        }
    }

    /// Checks the health of the upstream once a second. Never returns.
    pub(crate) async fn watch_upstream(self: Arc<Self>, check: Check) {
        let mut failures_in_a_row = 0_u32;
        loop {
            let state = self.probe().await;
            failures_in_a_row = if state.is_ok() { 0 } else { failures_in_a_row + 1 };
            if state.is_ok() || failures_in_a_row >= FAILURES_UNTIL_DOWN {
                self.availability.set(&state);
                check.report(state);
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    async fn forward(
        &self,
        vote: Bytes,
        deadline: Instant,
        trace: Option<&TraceContext>,
    ) -> Result<Bytes, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let mut request = Request::new(vote);
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        if let Some(trace) = trace {
            add_trace_headers(request.metadata_mut(), trace);
        }
        if let Some(token) = &self.token {
            let value = MetadataValue::clone(&token.value());
            request.metadata_mut().insert("authorization", value);
        }
        let path = PathAndQuery::from_static(FORWARD);
        Ok(grpc.unary(request, path, RawBytesCodec).await?.into_inner())
    }

    /// Checks whether the upstream can accept votes. The error is the reason why not.
    async fn probe(&self) -> Result<(), String> {
        let request = HealthCheckRequest {
            service: "votes.v1.BridgeService".to_owned(),
        };
        let mut client = HealthClient::new(self.channel.clone());
        let response = tokio::time::timeout(PROBE_TIMEOUT, client.check(request)).await;
        let response = response.map_err(|_| "ingest-grpc does not respond".to_owned())?;
        match response {
            Ok(response) if response.get_ref().status() == ServingStatus::Serving => Ok(()),
            Ok(_) => Err("ingest-grpc is not ready".to_owned()),
            // An overloaded upstream is up: it accepts or rejects votes.
            Err(status) if status.code() == Code::ResourceExhausted => Ok(()),
            // The message of a status does not say why the connection failed.
            Err(status) => Err(match retry::causes(&status).last() {
                Some(cause) => format!("ingest-grpc: {}: {cause}", status.message()),
                None => format!("ingest-grpc: {}", status.message()),
            }),
        }
    }
}

/// Also a trace that is not sampled is passed on: the upstream must not start another one.
fn add_trace_headers(metadata: &mut MetadataMap, trace: &TraceContext) {
    for (name, value) in trace.headers() {
        // The values are text that came from headers.
        if let Ok(value) = value.parse() {
            metadata.insert(name, value);
        }
    }
}

impl Sink for ForwardSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        let vote = Bytes::from(record.payload);
        let mut retries = 0;
        let response = loop {
            match self
                .forward(vote.clone(), record.deadline, record.trace.as_deref())
                .await
            {
                Err(status) if retries < retry::MAX_RETRIES && retry::is_unprocessed(&status) => retries += 1,
                response => break response,
            }
        };
        let message = response.map_err(|status| status::to_sink_error(&status))?;
        let receipt = Receipt::decode(message).map_err(|error| {
            SinkError::Internal(format!("the response of ingest-grpc is not a receipt: {error}"))
        })?;
        Ok(Position {
            partition: receipt.partition,
            offset: receipt.offset,
        })
    }

    fn available(&self) -> Result<(), SinkError> {
        self.availability.state()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn call_carries_the_trace_whether_or_not_it_is_sampled() {
        for (flags, expected) in [(TraceFlags::SAMPLED, "01"), (TraceFlags::NOT_SAMPLED, "00")] {
            let state = TraceState::from_key_value([("a", "b")]).unwrap();
            let span = SpanContext::new(TraceId::from(1), SpanId::from(2), flags, false, state);
            let mut metadata = MetadataMap::new();
            add_trace_headers(&mut metadata, &TraceContext::new(span));
            assert_eq!(
                metadata.get("traceparent").unwrap(),
                format!("00-{:032x}-{:016x}-{expected}", 1, 2).as_str()
            );
            assert_eq!(metadata.get("tracestate").unwrap(), "a=b");
        }
    }
}
