//! The client of one target: a connection pool for requests, a pool of gRPC streams, or a stock client.

use anyhow::Result;
use experiment_model::protocol::Encoding;
use experiment_model::sample::WireBytes;
use http::Request;

use crate::connection_pool::ConnectionPool;
use crate::connector::Connector;
use crate::stock_client::StockClient;
use crate::stream_pool::StreamPool;
use crate::target_spec::TargetSpec;

/// The client of one target.
#[derive(Debug)]
pub enum Client {
    /// One request and one answer for each vote.
    Requests(ConnectionPool),
    /// Votes and answers on long-lived streams.
    Streams(StreamPool),
    /// A usual client library.
    Stock(StockClient),
}

impl Client {
    /// Opens all connections of our own client; `head` is the request that opens a stream.
    pub async fn open(spec: &TargetSpec<'_>, head: Request<()>) -> Result<Self> {
        let connector = Connector::new(spec.authority, spec.tls.clone());
        Ok(if spec.encoding == Encoding::GrpcStream {
            Self::Streams(StreamPool::open(connector, head, spec.connections).await?)
        } else {
            Self::Requests(ConnectionPool::open(connector, spec.version, spec.connections).await?)
        })
    }

    /// Reopens connections and streams that closed while idle. A stock client does so itself, when it sends a vote.
    pub async fn reopen_closed(&self) -> Result<()> {
        match self {
            Self::Requests(pool) => pool.reopen_closed().await,
            Self::Streams(pool) => pool.reopen_closed().await,
            Self::Stock(_) => Ok(()),
        }
    }

    /// Bytes on its connections since they were opened; always 0 for a stock client, which does not count them.
    pub fn wire_bytes(&self) -> WireBytes {
        match self {
            Self::Requests(pool) => pool.wire_bytes(),
            Self::Streams(pool) => pool.wire_bytes(),
            Self::Stock(_) => WireBytes::default(),
        }
    }
}
