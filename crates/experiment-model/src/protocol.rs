//! How votes are sent: HTTP version, encoding, connections and the spacing of send times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The encoding of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A POST request with a JSON body.
    Json,
    /// A POST request with a protobuf body.
    Protobuf,
    /// A unary gRPC call: a protobuf body with a five-byte frame header, and the status in trailers.
    Grpc,
    /// A message on a long-lived gRPC stream, one stream for each connection. A message has no headers or trailers.
    GrpcStream,
}

impl Encoding {
    /// Whether it is gRPC.
    pub const fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::GrpcStream)
    }
}

/// The HTTP version of a connection.
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
    /// HTTP/1.1: one request at a time on a connection.
    Http1,
    /// HTTP/2 without TLS: many concurrent requests on a connection.
    H2c,
}

/// How a client uses its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// The largest number of unanswered votes. HTTP/1.1 has one connection for each of them.
    pub in_flight: usize,
    /// Number of HTTP/2 connections.
    pub count: usize,
    /// Whether a connection serves more than one request.
    pub reuse: bool,
}

/// The spacing of intended send times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// All gaps are equal.
    Uniform,
    /// Gaps are exponentially distributed, as with many independent clients: bursts occur.
    #[default]
    Poisson,
}
