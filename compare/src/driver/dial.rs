//! Connections to one address, with the same settings for every protocol.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::Body;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::socket::{Counter, Socket};
use crate::data::WireBytes;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The windows that the servers have: no call waits for an update.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// Whom to connect to.
#[derive(Debug)]
pub struct Dial {
    address: String,
    counter: Arc<Counter>,
}

impl Dial {
    /// Connections to `address` (host:port).
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            counter: Arc::default(),
        }
    }

    /// Bytes on all connections that were dialled.
    pub fn wire(&self) -> WireBytes {
        self.counter.read()
    }

    /// Opens an HTTP/1.1 connection.
    pub async fn http1<B>(&self) -> Result<http1::SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect().await?)).await?;
        // What breaks it, its calls are told.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Opens an HTTP/2 connection without TLS.
    pub async fn h2c<B>(&self) -> Result<http2::SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(TokioIo::new(self.connect().await?))
            .await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn connect(&self) -> Result<Socket> {
        let address = &self.address;
        let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address))
            .await
            .context("no connection in time")
            .and_then(|connected| connected.map_err(Into::into))
            .with_context(|| format!("cannot reach {address}: nothing listens there, or it is too busy; look at the service's log, or correct the arm's url"))?;
        // Requests are small and somebody waits for each, on every protocol.
        stream.set_nodelay(true)?;
        Ok(Socket::new(stream, Arc::clone(&self.counter)))
    }
}
