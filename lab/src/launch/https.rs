//! A request by TLS, to check that a server of a secured stack is ready.

use std::path::Path;

use anyhow::{Context, Result};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tls::{PemFile, TlsClient};
use tokio::net::TcpStream;

/// The status of the answer to a GET request. `address` is host:port, and `ca` the file of the CA that signed the certificate
/// of the server.
pub(super) async fn get_status(address: &str, path: &str, ca: &Path) -> Result<StatusCode> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let client = TlsClient::new(PemFile::new(ca, "the CA of the stack"), None, Some(b"http/1.1"))?;
    let socket = TcpStream::connect(address).await?;
    let stream = client
        .connect(host, socket)
        .await
        .context("the TLS handshake failed")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await;
    connection.abort();
    Ok(response?.status())
}
