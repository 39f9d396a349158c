//! The doors that a vote can come in by, and what each of them answers.

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

/// No answer takes longer, or the test has found a hanging route.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// JSON over HTTP/1.1 into `ingest-rest`.
    RestJson,
    /// Protobuf over h2c into `ingest-rest`.
    RestProtobuf,
    /// JSON over HTTP/1.1 into the bridge.
    BridgeJson,
    /// A unary gRPC call into `ingest-grpc`.
    Grpc,
}

/// What a door answered, in the words of the error table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A receipt.
    Receipt(votes::Receipt),
    /// A refusal.
    Refusal {
        /// HTTP status, or gRPC status code.
        code: i32,
        /// The wrong fields with the reasons, sorted by field.
        errors: Vec<(String, String)>,
        /// Whether the client is told when to come again.
        retry: bool,
    },
}

/// Clients for every door of a running stack.
#[derive(Clone, Debug)]
pub struct Doors {
    http1: reqwest::Client,
    h2c: reqwest::Client,
    grpc: VoteServiceClient<Channel>,
    endpoints: Endpoints,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 4] = [Self::RestJson, Self::RestProtobuf, Self::BridgeJson, Self::Grpc];

    /// The route that the door belongs to.
    pub const fn route(self) -> &'static str {
        match self {
            Self::RestJson | Self::RestProtobuf => "rest",
            Self::BridgeJson => "bridge",
            Self::Grpc => "grpc",
        }
    }
}

impl Doors {
    /// Connects to the services themselves, past the Ingress.
    pub async fn open(endpoints: &Endpoints) -> Result<Self> {
        let client = || reqwest::Client::builder().timeout(ANSWER_LIMIT);
        let channel = Channel::from_shared(endpoints.grpc.clone())?
            .timeout(ANSWER_LIMIT)
            .connect()
            .await?;
        Ok(Self {
            http1: client().http1_only().build()?,
            h2c: client().http2_prior_knowledge().build()?,
            grpc: VoteServiceClient::new(channel),
            endpoints: endpoints.clone(),
        })
    }

    /// Sends JSON bytes as they are.
    pub async fn send_json(&self, door: Door, content_type: &str, body: Vec<u8>) -> Result<Answer> {
        let url = match door {
            Door::BridgeJson => &self.endpoints.bridge,
            _ => &self.endpoints.rest,
        };
        self.post(&self.http1, url, content_type, body).await
    }

    /// Sends protobuf bytes as they are: as a request body, or as the message of a gRPC call.
    pub async fn send_protobuf(&self, door: Door, message: Vec<u8>) -> Result<Answer> {
        match door {
            Door::Grpc => self.call(message).await,
            _ => {
                self.post(&self.h2c, &self.endpoints.rest, "application/x-protobuf", message)
                    .await
            }
        }
    }

    /// Sends a vote that nothing is wrong with, as the door's own clients do.
    pub async fn send_good_vote(&self, door: Door) -> Result<Answer> {
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
        match door {
            Door::RestJson | Door::BridgeJson => {
                self.send_json(door, "application/json", json().into_bytes())
                    .await
            }
            Door::RestProtobuf => self.send_protobuf(door, vote().encode_to_vec()).await,
            Door::Grpc => self.cast(vote()).await,
        }
    }

    /// Sends a vote by gRPC as a generated client does.
    pub async fn cast(&self, vote: votes::Vote) -> Result<Answer> {
        match self.grpc.clone().cast_vote(vote).await {
            Ok(response) => Ok(Answer::Receipt(response.into_inner())),
            Err(status) => Ok(refusal(&status)),
        }
    }

    async fn post(
        &self,
        client: &reqwest::Client,
        url: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer> {
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
            .context("no x-ingest-route")?;
        let answered_as = response
            .headers()
            .get(CONTENT_TYPE)
            .cloned()
            .context("no content type")?;
        let retry = response.headers().contains_key(RETRY_AFTER);
        let bytes = response.bytes().await?;
        if status == 202 {
            let receipt = if answered_as == "application/x-protobuf" {
                votes::Receipt::decode(bytes)?
            } else {
                json_receipt(&serde_json::from_slice(&bytes)?)?
            };
            anyhow::ensure!(
                route == receipt.route.as_str(),
                "header and receipt name different routes"
            );
            return Ok(Answer::Receipt(receipt));
        }
        anyhow::ensure!(
            answered_as == "application/problem+json",
            "{status} came as {answered_as:?}"
        );
        let problem: Value = serde_json::from_slice(&bytes)?;
        anyhow::ensure!(
            problem.get("status") == Some(&Value::from(status)),
            "status differs: {problem}"
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
            .context("no errors list")?;
        let mut errors: Vec<_> = errors
            .iter()
            .map(|error| (text(error, "field"), text(error, "message")))
            .collect();
        errors.sort();
        Ok(Answer::Refusal {
            code: status.into(),
            errors,
            retry,
        })
    }

    /// A unary call with arbitrary bytes as its message.
    async fn call(&self, message: Vec<u8>) -> Result<Answer> {
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
            return Ok(refusal(&status));
        }
        let mut body: Bytes = response.bytes().await?;
        anyhow::ensure!(body.len() >= 5, "no message in the answer");
        Ok(Answer::Receipt(votes::Receipt::decode(body.split_off(5))?))
    }
}

fn json_receipt(receipt: &Value) -> Result<votes::Receipt> {
    let text = |key: &str| receipt.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| receipt.get(key).and_then(Value::as_i64);
    Ok(votes::Receipt {
        vote_id: text("vote_id").context("vote_id")?,
        route: text("route").context("route")?,
        partition: i32::try_from(number("partition").context("partition")?)?,
        offset: number("offset").context("offset")?,
    })
}

fn refusal(status: &Status) -> Answer {
    let details = status.get_details_bad_request();
    let violations = details.into_iter().flat_map(|details| details.field_violations);
    let mut errors: Vec<_> = violations
        .map(|violation| (violation.field, violation.description))
        .collect();
    // Where HTTP's status says all, gRPC names the message as a whole.
    errors.retain(|(field, _)| field != "body");
    errors.sort();
    let retry = status.get_details_retry_info().is_some();
    debug_assert_ne!(status.code(), Code::Ok);
    Answer::Refusal {
        code: status.code().into(),
        errors,
        retry,
    }
}
