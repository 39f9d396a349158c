//! TCP sockets: bind, accept, and socket options.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::args::ListenerArgs;

/// The kernel probes a silent peer after this time.
const TCP_KEEPALIVE: Duration = Duration::from_secs(20);
/// Pause after a failed accept, for example when the process is out of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Connections that wait in the kernel until they are accepted. The default of the library is 128: in a larger burst, the
/// kernel drops connections that their clients believe to be open, and resets them later.
const ACCEPT_QUEUE: u32 = 4096;

/// Binds the address. The error names the option to change.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("cannot listen on {address} (--listen)"))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A new process can use the address while connections of the previous one are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE)
}

/// Accepts the next connection and sets its options. Also returns the address of the peer.
pub(super) async fn accept(listener: &TcpListener, args: &ListenerArgs) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => match set_options(&socket, args) {
                Ok(()) => return (socket, peer),
                Err(error) => tracing::debug!(%error, "the client disconnected before its socket was set up"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn set_options(socket: &TcpStream, args: &ListenerArgs) -> std::io::Result<()> {
    // Responses are small and clients wait for each one: Nagle's algorithm would add up to 40 ms.
    socket.set_nodelay(!args.nagle)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))?;
    // If the peer has disappeared or never reads, sent bytes stay unacknowledged. The kernel closes the
    // connection after this time.
    socket.set_tcp_user_timeout(Some(args.idle_timeout()))
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
    async fn burst_of_connections_waits_in_the_kernel() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for number in 0..400 {
            // The kernel repeats a connection request that it dropped after a second.
            let client = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await;
            waiting.push(
                client
                    .unwrap_or_else(|_| panic!("connection {number} waits"))
                    .unwrap(),
            );
        }
    }

    #[tokio::test]
    async fn nagle_is_off_by_default() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for nagle in [false, true] {
            let args = Options::parse_from(["test"]).listener.with_nagle(nagle);
            let client = TcpStream::connect(address).await.unwrap();
            let (socket, peer) = accept(&listener, &args).await;
            assert_eq!(socket.nodelay().unwrap(), !nagle);
            assert_eq!(peer, client.local_addr().unwrap());
        }
    }
}
