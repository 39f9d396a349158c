//! Encodes one vote as bytes on the wire and decodes its answer. REST requests and unary gRPC calls differ only in this
//! file: both are HTTP requests with a body, sent by the same client.

use anyhow::{Context, Result};
use bytes::Bytes;
use experiment_model::protocol::Encoding;
use experiment_model::sample::ServerTiming;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;
use proto::votes::vote_result::Result as VoteOutcome;
use proto::votes::{Receipt, Vote, VoteResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{grpc_frame, server_timing};

/// The answer to one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Acknowledged, with this vote id.
    Receipt(Uuid),
    /// Rejected, with the status.
    Rejected(String),
}

/// The path of a request.
pub const fn path(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json | Encoding::Protobuf => "/v1/votes",
        Encoding::Grpc => "/votes.v1.VoteService/CastVote",
        Encoding::GrpcStream => "/votes.v1.VoteService/StreamVotes",
    }
}

/// The content type of a request.
pub const fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Grpc | Encoding::GrpcStream => "application/grpc",
    }
}

/// Encodes a vote as the body of a request, or as a message on a stream.
pub fn encode(encoding: Encoding, vote: &Vote) -> Result<Bytes> {
    Ok(match encoding {
        Encoding::Json => serde_json::to_vec(&JsonVote::from(vote))?.into(),
        Encoding::Protobuf => vote.encode_to_vec().into(),
        Encoding::Grpc | Encoding::GrpcStream => grpc_frame::encode(vote),
    })
}

/// Reads the whole answer to a request, with the server's stage times if it sent them.
pub async fn read_reply(
    encoding: Encoding,
    response: Response<Incoming>,
) -> Result<(Reply, Option<ServerTiming>)> {
    let (head, body) = response.into_parts();
    let timing = server_timing::from_headers(&head.headers);
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    let bytes = collected.to_bytes();
    let rejected = |status: String| Ok((Reply::Rejected(status), timing));
    if encoding.is_grpc() {
        let status = grpc_status(&head.headers, trailers.as_ref());
        if status != Some("0") {
            return rejected(format!("grpc-status {}", status.unwrap_or("missing")));
        }
    } else if head.status != StatusCode::ACCEPTED {
        return rejected(head.status.as_u16().to_string());
    }
    let vote_id = match encoding {
        Encoding::Json => serde_json::from_slice::<JsonReceipt>(&bytes)?.vote_id,
        Encoding::Protobuf => id_from_protobuf(bytes)?,
        Encoding::Grpc | Encoding::GrpcStream => id_from_protobuf(grpc_frame::decode_single(bytes)?)?,
    };
    Ok((Reply::Receipt(vote_id), timing))
}

/// Decodes the answer to one vote on a stream.
pub fn decode_stream_reply(message: Bytes) -> Result<Reply> {
    let result = VoteResult::decode(message)?.result;
    Ok(
        match result.context("the result contains neither a receipt nor a problem")? {
            VoteOutcome::Receipt(receipt) => Reply::Receipt(Uuid::try_parse(&receipt.vote_id)?),
            VoteOutcome::Problem(problem) => Reply::Rejected(format!("grpc-status {}", problem.code)),
        },
    )
}

/// The status of a gRPC answer. An answer without a message carries it in the headers instead of the trailers.
pub fn grpc_status<'a>(headers: &'a HeaderMap, trailers: Option<&'a HeaderMap>) -> Option<&'a str> {
    let status = trailers
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| headers.get("grpc-status"))?;
    status.to_str().ok()
}

/// A vote in JSON.
#[derive(Serialize)]
pub(crate) struct JsonVote<'a> {
    name: &'a str,
    album: &'a str,
    year: &'a str,
    rank: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    vote_id: &'a str,
}

impl<'a> From<&'a Vote> for JsonVote<'a> {
    fn from(vote: &'a Vote) -> Self {
        Self {
            name: &vote.name,
            album: &vote.album,
            year: &vote.year,
            rank: &vote.rank,
            vote_id: &vote.vote_id,
        }
    }
}

/// A receipt in JSON.
#[derive(Deserialize)]
pub(crate) struct JsonReceipt {
    pub(crate) vote_id: Uuid,
}

fn id_from_protobuf(bytes: Bytes) -> Result<Uuid> {
    Ok(Uuid::try_parse(&Receipt::decode(bytes)?.vote_id)?)
}
