//! The transport under HTTP: TCP, or TLS over TCP. Everything above works with both.

use std::io;
use std::time::Duration;

use tls::ClientCertificate;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::lingering_close::LingeringClose;
use super::tls::{Tls, selected_http2};

/// The first bytes of every HTTP/2 connection.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of every TLS connection: a record of the handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// Interval at which a socket with a partial preface is read.
const PREFACE_POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The body of the response to a client that does not speak TLS on a port that does.
const USE_TLS: &str = r#"{"status":400,"title":"The connection is not encrypted","detail":"use https on this port","errors":[]}"#;

/// The byte stream that HTTP reads and writes: TCP, or TLS over TCP.
pub(super) type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// The certificate of the client, if the handshake asked for one. Errors if it has no readable name.
pub(super) fn client_certificate(transport: &Transport) -> io::Result<Option<ClientCertificate>> {
    let Transport::Right(stream) = transport else {
        return Ok(None);
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = chain.first().map(ClientCertificate::read).transpose();
    certificate.map_err(|error| io::Error::other(format!("{error:#}")))
}

/// The version of HTTP that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The first bytes that the client sends show the version.
    Preface,
    Http1,
    Http2,
}

/// Makes an accepted socket ready for HTTP. Returns when the client has sent enough to distinguish HTTP/1.1 from HTTP/2:
/// hyper has no time limit for this step, and silent connections would occupy their slots forever. The caller sets the
/// time limit.
pub(super) async fn open(socket: TcpStream, tls: Option<&Tls>) -> io::Result<(Transport, Version)> {
    let first = first_byte(&socket).await?;
    match tls {
        None if first == TLS_HANDSHAKE => Err(io::Error::other("the client speaks TLS, and TLS is off")),
        None => {
            wait_for_version(&socket).await?;
            Ok((Transport::Left(socket), Version::Preface))
        }
        Some(_) if first != TLS_HANDSHAKE => {
            let mut socket = LingeringClose::after_unread_input(socket);
            socket.write_all(use_tls_response().as_bytes()).await?;
            socket.shutdown().await?;
            Err(io::Error::other("the client does not speak TLS"))
        }
        Some(tls) => {
            let stream = tls.accept(socket).await?;
            let version = if selected_http2(&stream) {
                Version::Http2
            } else {
                Version::Http1
            };
            Ok((Transport::Right(Box::new(stream)), version))
        }
    }
}

async fn first_byte(socket: &TcpStream) -> io::Result<u8> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let [byte] = first;
    Ok(byte)
}

/// A client that does not speak TLS speaks HTTP/1.1, or shows its user what it received.
fn use_tls_response() -> String {
    let length = USE_TLS.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
         content-length: {length}\r\n\r\n{USE_TLS}"
    )
}

async fn wait_for_version(socket: &TcpStream) -> io::Result<()> {
    let mut start = [0; HTTP2_PREFACE.len()];
    loop {
        let length = socket.peek(&mut start).await?;
        let received = start.get(..length).unwrap_or_default();
        if received.is_empty() || length == HTTP2_PREFACE.len() || !HTTP2_PREFACE.starts_with(received) {
            return Ok(());
        }
        // A partial preface keeps the socket readable, so readiness cannot signal the rest: poll.
        tokio::time::sleep(PREFACE_POLL_INTERVAL).await;
    }
}
