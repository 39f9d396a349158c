//! One vote as bytes on the wire, and what its answer says. REST and gRPC differ in here and nowhere else in the driver:
//! both are HTTP requests with a body, sent by the same client.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prost::Message;
use proto::votes::{Receipt, Vote};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How a vote is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A POST with a JSON body.
    Json,
    /// A POST with a protobuf body.
    Protobuf,
    /// A unary gRPC call: a protobuf body with a five-byte frame head, and the status in trailers.
    Grpc,
}

/// gRPC's frame head: not compressed, then the length.
const FRAME_HEAD: usize = 5;

/// What came back for one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Acknowledged, under this id.
    Receipt(Uuid),
    /// Refused, with the status that says why.
    Refused(String),
}

impl Encoding {
    /// A request for `vote` at `authority` under `path`, with `headers` more.
    pub fn request(
        self,
        authority: &str,
        path: &str,
        headers: &HeaderMap,
        vote: &Vote,
    ) -> http::Result<Request<Full<Bytes>>> {
        let (content_type, body) = match self {
            Self::Json => ("application/json", json(vote)),
            Self::Protobuf => ("application/x-protobuf", vote.encode_to_vec().into()),
            Self::Grpc => ("application/grpc", framed(vote)),
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{authority}{path}"))
            .body(Full::new(body))?;
        request.headers_mut().extend(headers.clone());
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self == Self::Grpc {
            request
                .headers_mut()
                .insert("te", HeaderValue::from_static("trailers"));
        }
        Ok(request)
    }

    /// Reads an answer to its end.
    pub async fn reply(self, response: http::Response<Incoming>) -> anyhow::Result<Reply> {
        let (head, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let bytes = collected.to_bytes();
        let vote_id = match self {
            Self::Json if head.status == StatusCode::ACCEPTED => id_of_json(&bytes)?,
            Self::Protobuf if head.status == StatusCode::ACCEPTED => id_of_protobuf(bytes)?,
            Self::Grpc => match grpc_status(&head.headers, &trailers) {
                Some("0") => id_of_protobuf(unframed(bytes)?)?,
                other => {
                    return Ok(Reply::Refused(format!(
                        "grpc-status {}",
                        other.unwrap_or("missing")
                    )));
                }
            },
            Self::Json | Self::Protobuf => return Ok(Reply::Refused(head.status.as_u16().to_string())),
        };
        Ok(Reply::Receipt(vote_id))
    }
}

fn json(vote: &Vote) -> Bytes {
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
    serde_json::to_vec(&json).unwrap_or_default().into()
}

fn framed(vote: &Vote) -> Bytes {
    let length = vote.encoded_len();
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    // A vector grows as needed: encoding into it cannot fail.
    let _ = vote.encode(&mut frame);
    frame.freeze()
}

fn unframed(mut bytes: Bytes) -> anyhow::Result<Bytes> {
    anyhow::ensure!(
        bytes.len() >= FRAME_HEAD && bytes.get_u8() == 0,
        "no plain gRPC frame"
    );
    let length = bytes.get_u32() as usize;
    anyhow::ensure!(
        bytes.len() == length,
        "a gRPC frame of another length than it says"
    );
    Ok(bytes)
}

fn grpc_status<'a>(headers: &'a HeaderMap, trailers: &'a HeaderMap) -> Option<&'a str> {
    // A refusal without a message has its status among the headers.
    let status = trailers
        .get("grpc-status")
        .or_else(|| headers.get("grpc-status"))?;
    status.to_str().ok()
}

fn id_of_json(bytes: &[u8]) -> anyhow::Result<Uuid> {
    #[derive(Deserialize)]
    struct Receipt {
        vote_id: Uuid,
    }
    Ok(serde_json::from_slice::<Receipt>(bytes)?.vote_id)
}

fn id_of_protobuf(bytes: Bytes) -> anyhow::Result<Uuid> {
    Ok(Uuid::try_parse(&Receipt::decode(bytes)?.vote_id)?)
}

/// The longest that an answer is waited for: beyond it a vote counts as failed.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn vote() -> Vote {
        Vote {
            name: "Bohemia Suburbana".to_owned(),
            album: "Mil Palabras Con Sus Dientes".to_owned(),
            year: "1995".to_owned(),
            rank: "9.5".to_owned(),
            vote_id: String::new(),
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let message = unframed(framed(&vote())).unwrap();
        assert_eq!(Vote::decode(message).unwrap(), vote());
        assert!(unframed(Bytes::from_static(b"\0\0\0\0\x09x")).is_err());
        assert!(
            unframed(Bytes::from_static(b"\x01\0\0\0\0")).is_err(),
            "compressed"
        );
        assert!(unframed(Bytes::new()).is_err());
    }
}
