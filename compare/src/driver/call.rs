//! One vote as bytes on the wire, and what its answer says. REST and gRPC differ in here and nowhere else in the driver:
//! both are HTTP requests with a body, sent by the same client.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;
use proto::votes::vote_result::Result as VoteOutcome;
use proto::votes::{Receipt, Vote, VoteResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{frame, timing};
use crate::data::ServerTiming;

/// How a vote is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A POST with a JSON body.
    Json,
    /// A POST with a protobuf body.
    Protobuf,
    /// A unary gRPC call: a protobuf body with a five-byte frame head, and the status in trailers.
    Grpc,
    /// A message on a gRPC stream that stays open, one for each connection: no head and no trailers of its own.
    GrpcStream,
}

/// What came back for one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Acknowledged, under this id.
    Receipt(Uuid),
    /// Refused, with the status that says why.
    Refused(String),
}

/// The longest that an answer is waited for: beyond it a vote counts as failed.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

impl Encoding {
    /// Whether it is gRPC.
    pub const fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::GrpcStream)
    }

    /// The path of its call.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Json | Self::Protobuf => "/v1/votes",
            Self::Grpc => "/votes.v1.VoteService/CastVote",
            Self::GrpcStream => "/votes.v1.VoteService/StreamVotes",
        }
    }

    /// The content type of its requests.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
            Self::Grpc | Self::GrpcStream => "application/grpc",
        }
    }

    /// A vote as the body of a request, or as a message on a stream.
    pub fn body(self, vote: &Vote) -> Result<Bytes> {
        Ok(match self {
            Self::Json => json(vote)?,
            Self::Protobuf => vote.encode_to_vec().into(),
            Self::Grpc | Self::GrpcStream => frame::framed(vote),
        })
    }

    /// Reads the answer to a call to its end, with the server's times where it tells them.
    pub async fn reply(self, response: Response<Incoming>) -> Result<(Reply, Option<ServerTiming>)> {
        let (head, body) = response.into_parts();
        let timing = timing::told(&head.headers);
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned();
        let bytes = collected.to_bytes();
        let refused = |status: String| Ok((Reply::Refused(status), timing));
        if self.is_grpc() {
            let status = grpc_status(&head.headers, trailers.as_ref());
            if status != Some("0") {
                return refused(format!("grpc-status {}", status.unwrap_or("missing")));
            }
        } else if head.status != StatusCode::ACCEPTED {
            return refused(head.status.as_u16().to_string());
        }
        let vote_id = match self {
            Self::Json => id_of_json(&bytes)?,
            Self::Protobuf => id_of_protobuf(bytes)?,
            Self::Grpc | Self::GrpcStream => id_of_protobuf(frame::only(bytes)?)?,
        };
        Ok((Reply::Receipt(vote_id), timing))
    }
}

/// Reads the answer to one vote of a stream.
pub fn streamed_reply(message: Bytes) -> Result<Reply> {
    let result = VoteResult::decode(message)?.result;
    Ok(
        match result.context("a result that is neither receipt nor problem")? {
            VoteOutcome::Receipt(receipt) => Reply::Receipt(Uuid::try_parse(&receipt.vote_id)?),
            VoteOutcome::Problem(problem) => Reply::Refused(format!("grpc-status {}", problem.code)),
        },
    )
}

/// The status of a gRPC answer; a refusal without a message has it among the headers.
pub fn grpc_status<'a>(headers: &'a HeaderMap, trailers: Option<&'a HeaderMap>) -> Option<&'a str> {
    let status = trailers
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| headers.get("grpc-status"))?;
    status.to_str().ok()
}

fn json(vote: &Vote) -> serde_json::Result<Bytes> {
    #[derive(Serialize)]
    struct Json<'a> {
        name: &'a str,
        album: &'a str,
        year: &'a str,
        rank: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        vote_id: &'a str,
    }
    let json = Json {
        name: &vote.name,
        album: &vote.album,
        year: &vote.year,
        rank: &vote.rank,
        vote_id: &vote.vote_id,
    };
    serde_json::to_vec(&json).map(Into::into)
}

fn id_of_json(bytes: &[u8]) -> Result<Uuid> {
    #[derive(Deserialize)]
    struct Receipt {
        vote_id: Uuid,
    }
    Ok(serde_json::from_slice::<Receipt>(bytes)?.vote_id)
}

fn id_of_protobuf(bytes: Bytes) -> Result<Uuid> {
    Ok(Uuid::try_parse(&Receipt::decode(bytes)?.vote_id)?)
}
