//! The way to one target: calls, or streams.

use anyhow::Result;
use http::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::call::Encoding;
use super::calls::Calls;
use super::dial::Dial;
use super::streams::Streams;
use crate::data::WireBytes;

/// The HTTP version of a lane.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// HTTP/1.1: one call at a time on a connection.
    Http1,
    /// HTTP/2 without TLS: many calls at a time.
    H2c,
}

/// How a lane uses connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections.
    pub count: usize,
    /// Calls at a time on each HTTP/2 connection, or votes that wait on its stream. (HTTP/1.1 has one call at a time.)
    pub streams: usize,
    /// Whether a connection serves more than one call.
    pub reuse: bool,
}

/// The way to one target.
#[derive(Debug)]
pub enum Lane {
    /// A request and an answer for each vote.
    Calls(Calls),
    /// Votes and answers on streams that stay open.
    Streams(Streams),
}

impl Lane {
    /// Opens all connections to `address` (host:port); `head` is the request that opens a stream.
    pub async fn open(
        address: &str,
        version: Version,
        encoding: Encoding,
        head: Request<()>,
        connections: Connections,
    ) -> Result<Self> {
        let dial = Dial::new(address);
        Ok(if encoding == Encoding::GrpcStream {
            Self::Streams(Streams::open(dial, head, connections).await?)
        } else {
            Self::Calls(Calls::open(dial, version, connections).await?)
        })
    }

    /// Opens again what was closed while nothing was sent.
    pub async fn renew(&self) -> Result<()> {
        match self {
            Self::Calls(calls) => calls.renew().await,
            Self::Streams(streams) => streams.renew().await,
        }
    }

    /// Bytes on its connections since they were opened.
    pub fn wire(&self) -> WireBytes {
        match self {
            Self::Calls(calls) => calls.dial().wire(),
            Self::Streams(streams) => streams.dial().wire(),
        }
    }
}
