//! The transport under HTTP: plain TCP. This is the place to add TLS.
//!
//! Everything above this file works with any [`Transport`] that implements `AsyncRead` and `AsyncWrite`. To add TLS, change
//! the alias to a TLS stream and do the handshake in [`open`]; ALPN then selects the protocol in place of the preface.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// The first bytes of every HTTP/2 connection.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Interval at which a socket with a partial preface is read.
const PREFACE_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The byte stream that HTTP reads and writes.
pub(super) type Transport = TcpStream;

/// Makes an accepted socket ready for HTTP. Returns when the client has sent enough to distinguish HTTP/1.1 from HTTP/2:
/// hyper has no time limit for this step, and silent connections would occupy their slots forever. The caller sets the
/// time limit.
pub(super) async fn open(socket: TcpStream) -> io::Result<Transport> {
    let mut start = [0; HTTP2_PREFACE.len()];
    loop {
        let length = socket.peek(&mut start).await?;
        let received = start.get(..length).unwrap_or_default();
        if received.is_empty() || length == HTTP2_PREFACE.len() || !HTTP2_PREFACE.starts_with(received) {
            return Ok(socket);
        }
        // A partial preface keeps the socket readable, so readiness cannot signal the rest: poll.
        tokio::time::sleep(PREFACE_POLL_INTERVAL).await;
    }
}
