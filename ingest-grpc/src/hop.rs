//! The bridge's sink: a gRPC call that is answered when the vote is durable in Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::PathAndQuery;
use ingest::{Availability, EncodedVote, Position, Sink, SinkError};
use prost::Message;
use proto::votes::Receipt;
use service::Check;
use tonic::client::Grpc;
use tonic::transport::{Channel, Uri};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::frame::FrameCodec;
use crate::{retry, status};

const FORWARD: &str = "/votes.v1.BridgeService/Forward";
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// One slow answer on a busy machine is no outage, nor is one replica that drains.
const FAILURES_UNTIL_DOWN: u32 = 2;
/// Calls between the handlers and the connection; admission is the limit, this must not be a lower one.
const CALLS_WAITING: usize = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Notices an upstream that vanished without closing.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes by calling `ingest-grpc`.
#[derive(Debug)]
pub(crate) struct HopSink {
    channel: Channel,
    availability: Availability,
}

impl HopSink {
    /// Connects on first use, and again whenever the connection is lost.
    pub(crate) fn new(upstream: Uri) -> Self {
        let channel = Channel::builder(upstream)
            .tcp_nodelay(true)
            .buffer_size(CALLS_WAITING)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .connect_lazy();
        Self {
            channel,
            availability: Availability::default(),
        }
    }

    /// Asks the upstream once a second whether it serves; never returns.
    pub(crate) async fn watch(self: Arc<Self>, check: Check) {
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

    async fn forward(&self, vote: Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let mut request = Request::new(vote);
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        let path = PathAndQuery::from_static(FORWARD);
        Ok(grpc.unary(request, path, FrameCodec).await?.into_inner())
    }

    /// Whether the upstream serves, or why not.
    async fn probe(&self) -> Result<(), String> {
        let request = HealthCheckRequest {
            service: "votes.v1.BridgeService".to_owned(),
        };
        let mut client = HealthClient::new(self.channel.clone());
        let answer = tokio::time::timeout(PROBE_TIMEOUT, client.check(request)).await;
        let answer = answer.map_err(|_| "ingest-grpc does not answer".to_owned())?;
        match answer {
            Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
            Ok(_) => Err("ingest-grpc is not ready".to_owned()),
            // It serves, and has more to do than it takes: votes are answered, if only by a refusal.
            Err(status) if status.code() == Code::ResourceExhausted => Ok(()),
            Err(status) => Err(format!("ingest-grpc: {}", status.message())),
        }
    }
}

impl Sink for HopSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        let vote = Bytes::from(record.payload);
        let mut again = 0;
        let answer = loop {
            match self.forward(vote.clone(), record.deadline).await {
                Err(status) if again < retry::MOST && retry::was_not_begun(&status) => again += 1,
                answer => break answer,
            }
        };
        let message = answer.map_err(|status| status::to_sink_error(&status))?;
        let receipt = Receipt::decode(message)
            .map_err(|error| SinkError::Internal(format!("ingest-grpc sent no receipt: {error}")))?;
        Ok(Position {
            partition: receipt.partition,
            offset: receipt.offset,
        })
    }

    fn available(&self) -> Result<(), SinkError> {
        self.availability.state()
    }
}
