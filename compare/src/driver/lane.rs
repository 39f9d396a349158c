//! Connections to one target: the same client for every protocol, so that only the protocol differs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

/// The HTTP version of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// Calls at a time on each HTTP/2 connection. (HTTP/1.1 has one.)
    pub streams: usize,
    /// Whether a connection serves more than one call.
    pub reuse: bool,
}

/// Connections to one address.
#[derive(Debug)]
pub struct Lane {
    address: String,
    reuse: bool,
    /// Calls that fit at a time. First come, first served: what waits here waits in order.
    places: Semaphore,
    pool: Pool,
}

#[derive(Debug)]
enum Pool {
    /// Connections that serve no call.
    Http1(Mutex<Vec<http1::SendRequest<Full<Bytes>>>>),
    /// All connections, taken in turn.
    H2c {
        connections: Vec<Mutex<http2::SendRequest<Full<Bytes>>>>,
        turn: AtomicUsize,
    },
}

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The windows that the servers have: no call waits for an update.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

impl Lane {
    /// Opens all connections to `address` (host:port).
    pub async fn open(address: &str, version: Version, connections: Connections) -> Result<Self> {
        let Connections {
            count,
            streams,
            reuse,
        } = connections;
        let (pool, at_a_time) = match version {
            Version::Http1 => {
                let mut idle = Vec::with_capacity(count);
                for _ in 0..count {
                    idle.push(http1(address).await?);
                }
                (Pool::Http1(Mutex::new(idle)), count)
            }
            Version::H2c => {
                let mut connections = Vec::with_capacity(count);
                for _ in 0..count {
                    connections.push(Mutex::new(h2c(address).await?));
                }
                let turn = AtomicUsize::new(0);
                (Pool::H2c { connections, turn }, count * streams)
            }
        };
        Ok(Self {
            address: address.to_owned(),
            reuse,
            places: Semaphore::new(at_a_time),
            pool,
        })
    }

    /// Sends a request as soon as a place is free, and gives what `read` makes of the answer. A connection that broke
    /// is replaced by the next call that needs it.
    pub async fn call<T>(
        &self,
        request: Request<Full<Bytes>>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T>,
    ) -> Result<T> {
        let _place = self.places.acquire().await?;
        match &self.pool {
            Pool::Http1(idle) => {
                let kept = if self.reuse { idle.lock().await.pop() } else { None };
                let mut connection = match kept.filter(|connection| !connection.is_closed()) {
                    Some(connection) => connection,
                    None => http1(&self.address).await?,
                };
                let response = connection.send_request(request).await.context("no answer")?;
                let reply = read(response).await?;
                // The answer was read to its end: the connection serves the next one.
                if self.reuse {
                    idle.lock().await.push(connection);
                }
                Ok(reply)
            }
            Pool::H2c { connections, turn } => {
                let index = turn.fetch_add(1, Ordering::Relaxed) % connections.len();
                let mut connection = match connections.get(index) {
                    Some(connection) if self.reuse => {
                        let mut connection = connection.lock().await;
                        if connection.is_closed() {
                            *connection = h2c(&self.address).await?;
                        }
                        connection.clone()
                    }
                    _ => h2c(&self.address).await?,
                };
                connection.ready().await?;
                read(connection.send_request(request).await.context("no answer")?).await
            }
        }
    }
}

async fn http1(address: &str) -> Result<http1::SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(connect(address).await?)).await?;
    // What breaks it, its calls are told.
    tokio::spawn(connection);
    Ok(sender)
}

async fn h2c(address: &str) -> Result<http2::SendRequest<Full<Bytes>>> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .handshake(TokioIo::new(connect(address).await?))
        .await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address))
        .await
        .context("no connection in time")
        .and_then(|connected| connected.map_err(Into::into))
        .with_context(|| format!("cannot reach {address}; is the stack up? (`make up`, `make status`)"))?;
    // Requests are small and somebody waits for each, on every protocol.
    stream.set_nodelay(true)?;
    Ok(stream)
}
