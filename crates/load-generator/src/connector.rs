//! Opens connections to one address, with the same settings for every protocol.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use experiment_model::sample::WireBytes;
use hyper::body::Body;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::socket::{ByteCounter, CountingSocket};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same windows as the servers use, so that no request waits for a window update.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// Opens connections to one address and counts their bytes.
#[derive(Debug)]
pub struct Connector {
    address: String,
    counter: Arc<ByteCounter>,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection without or with TLS. The bytes on the wire are counted.
type Socket = Either<CountingSocket, TlsStream<CountingSocket>>;

impl Connector {
    /// A connector for `address` (host:port), with or without TLS.
    pub fn new(address: &str, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            address: address.to_owned(),
            counter: Arc::default(),
            tls,
        }
    }

    /// Bytes on all connections that this connector has opened.
    pub fn wire_bytes(&self) -> WireBytes {
        self.counter.read()
    }

    /// Opens an HTTP/1.1 connection.
    pub async fn http1<B>(&self) -> Result<http1::SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect(b"http/1.1").await?)).await?;
        // The requests on the connection receive its errors.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Opens an HTTP/2 connection, which is known to be HTTP/2 in advance, or selected by TLS.
    pub async fn h2c<B>(&self) -> Result<http2::SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(TokioIo::new(self.connect(b"h2").await?))
            .await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn connect(&self, protocol: &[u8]) -> Result<Socket> {
        let address = &self.address;
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
            .await
            .context("the connection attempt timed out")
            .and_then(|connected| connected.map_err(Into::into))
            .with_context(|| {
                format!(
                    "cannot reach {address}: no process listens there, or it is overloaded; check the service's log, or \
                     correct the variant's url"
                )
            })?;
        // Requests are small, and each has a client that waits for its answer.
        stream.set_nodelay(true)?;
        let socket = CountingSocket::new(stream, Arc::clone(&self.counter));
        let Some(config) = &self.tls else {
            return Ok(Either::Left(socket));
        };
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.to_owned())?;
        let connector = TlsConnector::from(Arc::clone(config));
        let connector = connector.with_alpn(vec![protocol.to_vec()]);
        let stream = connector.connect(name, socket).await;
        Ok(Either::Right(stream.context("the TLS handshake failed")?))
    }
}
