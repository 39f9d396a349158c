//! The endpoints that accept a vote, and a client for each.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use lab::endpoints::Endpoints;
use prost::Message;
use proto::votes;
use proto::votes::vote_service_client::VoteServiceClient;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A response that takes longer means that the route hangs.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// One combination of service, protocol and encoding that accepts a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// JSON over HTTP/1.1 into `ingest-rest`.
    RestJson,
    /// Protobuf over h2c into `ingest-rest`.
    RestProtobuf,
    /// JSON over HTTP/1.1 into the bridge.
    BridgeJson,
    /// A unary gRPC call into `ingest-grpc`.
    Grpc,
}

/// The response of an endpoint, in one form for HTTP and gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteResponse {
    /// A receipt.
    Receipt(votes::Receipt),
    /// An error.
    Rejection {
        /// HTTP status, or gRPC status code.
        code: i32,
        /// The invalid fields and the reason for each, sorted by field.
        errors: Vec<(String, String)>,
        /// Whether the error has a retry hint.
        retry: bool,
    },
}

/// A client for each endpoint of a running stack.
#[derive(Clone, Debug)]
pub struct EndpointClients {
    http1: reqwest::Client,
    h2c: reqwest::Client,
    grpc: VoteServiceClient<Channel>,
    endpoints: Endpoints,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 4] = [Self::RestJson, Self::RestProtobuf, Self::BridgeJson, Self::Grpc];

    /// The route of the endpoint, as receipts name it.
    pub const fn route(self) -> &'static str {
        match self {
            Self::RestJson | Self::RestProtobuf => "rest",
            Self::BridgeJson => "bridge",
            Self::Grpc => "grpc",
        }
    }
}

impl EndpointClients {
    /// Connects to the services directly, without the Ingress.
    pub async fn connect(endpoints: &Endpoints) -> Result<Self> {
        let client = || reqwest::Client::builder().timeout(RESPONSE_TIMEOUT);
        let channel = Channel::from_shared(endpoints.grpc.clone())?
            .timeout(RESPONSE_TIMEOUT)
            .connect()
            .await?;
        Ok(Self {
            http1: client().http1_only().build()?,
            h2c: client().http2_prior_knowledge().build()?,
            grpc: VoteServiceClient::new(channel),
            endpoints: endpoints.clone(),
        })
    }

    /// Sends JSON bytes unchanged.
    pub async fn send_json(
        &self,
        endpoint: Endpoint,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<VoteResponse> {
        let url = match endpoint {
            Endpoint::BridgeJson => &self.endpoints.bridge,
            _ => &self.endpoints.rest,
        };
        self.post(&self.http1, url, content_type, body).await
    }

    /// Sends protobuf bytes unchanged, as a request body or as the message of a gRPC call.
    pub async fn send_protobuf(&self, endpoint: Endpoint, message: Vec<u8>) -> Result<VoteResponse> {
        match endpoint {
            Endpoint::Grpc => self.send_grpc_message(message).await,
            _ => {
                self.post(&self.h2c, &self.endpoints.rest, "application/x-protobuf", message)
                    .await
            }
        }
    }

    /// Sends a valid vote in the encoding of the endpoint.
    pub async fn send_valid_vote(&self, endpoint: Endpoint) -> Result<VoteResponse> {
        let (name, album, year, rank) = ("Bohemia Suburbana", "Sombras", "1997", "9.5");
        let json =
            || serde_json::json!({"name": name, "album": album, "year": year, "rank": rank}).to_string();
        let vote = || votes::Vote {
            name: name.to_owned(),
            album: album.to_owned(),
            year: year.to_owned(),
            rank: rank.to_owned(),
            vote_id: String::new(),
        };
        match endpoint {
            Endpoint::RestJson | Endpoint::BridgeJson => {
                self.send_json(endpoint, "application/json", json().into_bytes())
                    .await
            }
            Endpoint::RestProtobuf => self.send_protobuf(endpoint, vote().encode_to_vec()).await,
            Endpoint::Grpc => self.send_by_grpc(vote()).await,
        }
    }

    /// Sends a vote by gRPC with the generated client.
    pub async fn send_by_grpc(&self, vote: votes::Vote) -> Result<VoteResponse> {
        match self.grpc.clone().cast_vote(vote).await {
            Ok(response) => Ok(VoteResponse::Receipt(response.into_inner())),
            Err(status) => Ok(rejection(&status)),
        }
    }

    async fn post(
        &self,
        client: &reqwest::Client,
        url: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<VoteResponse> {
        let request = client.post(format!("{url}/v1/votes"));
        let response = request
            .header(CONTENT_TYPE, content_type)
            .body(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        let route = response
            .headers()
            .get("x-ingest-route")
            .cloned()
            .context("the response has no x-ingest-route header")?;
        let response_type = response
            .headers()
            .get(CONTENT_TYPE)
            .cloned()
            .context("the response has no content type")?;
        let retry = response.headers().contains_key(RETRY_AFTER);
        let bytes = response.bytes().await?;
        if status == 202 {
            let receipt = if response_type == "application/x-protobuf" {
                votes::Receipt::decode(bytes)?
            } else {
                json_receipt(&serde_json::from_slice(&bytes)?)?
            };
            anyhow::ensure!(
                route == receipt.route.as_str(),
                "the x-ingest-route header and the receipt name different routes"
            );
            return Ok(VoteResponse::Receipt(receipt));
        }
        anyhow::ensure!(
            response_type == "application/problem+json",
            "the error with status {status} has content type {response_type:?}"
        );
        let problem: Value = serde_json::from_slice(&bytes)?;
        anyhow::ensure!(
            problem.get("status") == Some(&Value::from(status)),
            "the problem document has another status than {status}: {problem}"
        );
        let text = |error: &Value, key: &str| {
            error
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let errors = problem
            .get("errors")
            .and_then(Value::as_array)
            .context("the problem document has no list of errors")?;
        let mut errors: Vec<_> = errors
            .iter()
            .map(|error| (text(error, "field"), text(error, "message")))
            .collect();
        errors.sort();
        Ok(VoteResponse::Rejection {
            code: status.into(),
            errors,
            retry,
        })
    }

    /// Sends a unary gRPC call with arbitrary bytes as its message.
    async fn send_grpc_message(&self, message: Vec<u8>) -> Result<VoteResponse> {
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len())?.to_be_bytes());
        frame.extend(message);
        let request = self
            .h2c
            .post(format!("{}/votes.v1.VoteService/CastVote", self.endpoints.grpc));
        let response = request
            .header(CONTENT_TYPE, "application/grpc")
            .header("te", "trailers")
            .body(frame)
            .send()
            .await?;
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Ok(rejection(&status));
        }
        let mut body: Bytes = response.bytes().await?;
        anyhow::ensure!(body.len() >= 5, "the response has no message");
        Ok(VoteResponse::Receipt(votes::Receipt::decode(body.split_off(5))?))
    }
}

fn json_receipt(receipt: &Value) -> Result<votes::Receipt> {
    let text = |key: &str| receipt.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| receipt.get(key).and_then(Value::as_i64);
    Ok(votes::Receipt {
        vote_id: text("vote_id").context("the receipt has no vote_id")?,
        route: text("route").context("the receipt has no route")?,
        partition: i32::try_from(number("partition").context("the receipt has no partition")?)?,
        offset: number("offset").context("the receipt has no offset")?,
    })
}

fn rejection(status: &Status) -> VoteResponse {
    let details = status.get_details_bad_request();
    let violations = details.into_iter().flat_map(|details| details.field_violations);
    let mut errors: Vec<_> = violations
        .map(|violation| (violation.field, violation.description))
        .collect();
    // For a malformed message, gRPC names the field `body`; HTTP only sets the status.
    errors.retain(|(field, _)| field != "body");
    errors.sort();
    let retry = status.get_details_retry_info().is_some();
    debug_assert_ne!(status.code(), Code::Ok);
    VoteResponse::Rejection {
        code: status.code().into(),
        errors,
        retry,
    }
}
