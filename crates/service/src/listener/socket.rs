//! Sockets: accepting them, their options, and the first bytes on them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::ListenerArgs;

/// A silent peer is asked by the kernel after this time whether it is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(20);
/// What an HTTP/2 client sends first.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Pause between two looks at a preface that has arrived in part.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
/// Pause after a failed accept (out of file descriptors): the cause needs time to go away.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Binds, with an error that names the option to change.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (--listen)"))
}

/// The next connection, its options set.
pub(super) async fn accept(listener: &TcpListener, args: &ListenerArgs) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match tune(&stream, args) {
                Ok(()) => return stream,
                Err(error) => tracing::debug!(%error, "the client left before its socket was set up"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn tune(stream: &TcpStream, args: &ListenerArgs) -> std::io::Result<()> {
    // Answers are small and somebody waits for each: Nagle would add up to 40 ms.
    stream.set_nodelay(!args.nagle)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))?;
    // A peer that is gone, or that never reads, leaves sent bytes unacknowledged or unsent: the kernel gives it up.
    socket.set_tcp_user_timeout(Some(args.idle_timeout()))
}

/// Waits until a client has sent enough to tell HTTP/1.1 from HTTP/2. hyper has no time limit on that: silent connections
/// would hold their places for ever.
pub(super) async fn protocol_is_clear(stream: &TcpStream) -> std::io::Result<()> {
    let mut start = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        let received = start.get(..length).unwrap_or_default();
        if received.is_empty() || length == HTTP2_PREFACE.len() || !HTTP2_PREFACE.starts_with(received) {
            return Ok(());
        }
        // A part of the preface stays readable, so there is nothing to wait for but time.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        listener: ListenerArgs,
    }

    #[tokio::test]
    async fn nagle_is_off_unless_it_is_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for nagle in [false, true] {
            let args = Options::parse_from(["test"]).listener.with_nagle(nagle);
            let _client = TcpStream::connect(address).await.unwrap();
            let stream = accept(&listener, &args).await;
            assert_eq!(stream.nodelay().unwrap(), !nagle);
        }
    }
}
