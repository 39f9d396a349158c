//! A GET request to a server of a stack, by TLS if the stack is secured.

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::access::Access;

/// The status and the body of the answer of the server at `address`, such as `127.0.0.1:9090`.
pub async fn http_get(access: &Access, address: &str, path: &str) -> Result<(StatusCode, Bytes)> {
    let socket = TcpStream::connect(address).await?;
    let Some(client) = access.tls_client(Some(b"http/1.1"))? else {
        return exchange(socket, address, path).await;
    };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let stream = client.connect(host, socket).await;
    exchange(stream.context("the TLS handshake failed")?, address, path).await
}

/// The body of the answer. Errors if the status is not a success.
pub async fn http_get_body(access: &Access, address: &str, path: &str) -> Result<Bytes> {
    let (status, body) = http_get(access, address, path).await?;
    ensure!(
        status.is_success(),
        "{path} answers {}: {}",
        status.as_u16(),
        String::from_utf8_lossy(&body).trim()
    );
    Ok(body)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: &str,
    path: &str,
) -> Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address)
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
    .await;
    connection.abort();
    answer
}
