//! Closes a connection so that its last response arrives. If a server closes a socket that has unread input, the kernel
//! resets the connection, and the client loses the response: a proxy then answers 502 in its place.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How much further input is discarded before the connection is closed: more than the largest head that a proxy passes on
/// (Traefik: 1 MiB).
const MAX_DISCARDED_BYTES: usize = 1_280 * 1024;
/// How long further input is awaited.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Size of the buffer for discarded input.
const CHUNK_BYTES: usize = 8 * 1024;

/// A stream that, when it is shut down with input that may be unread, discards the input until the peer closes or a limit
/// is reached.
#[derive(Debug)]
pub(super) struct LingeringClose<T> {
    stream: T,
    /// Whether the last read filled its buffer, so that more input may follow.
    has_more_input: bool,
    linger: Option<Linger>,
}

/// The discarding of input after the end of the output.
#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    discarded: usize,
}

impl<T> LingeringClose<T> {
    pub(super) fn new(stream: T) -> Self {
        Self {
            stream,
            has_more_input: false,
            linger: None,
        }
    }

    /// A stream whose input was not read.
    pub(super) fn after_unread_input(stream: T) -> Self {
        Self {
            has_more_input: true,
            ..Self::new(stream)
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for LingeringClose<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let capacity = buffer.remaining();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.has_more_input = buffer.remaining() == 0 && capacity > 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.has_more_input {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Linger {
            end: Box::pin(sleep(MAX_WAIT)),
            discarded: 0,
        });
        let mut chunk = [0; CHUNK_BYTES];
        while linger.discarded < MAX_DISCARDED_BYTES && linger.end.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => linger.discarded += buffer.filled().len(),
                // The peer has closed the connection.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{Instant, timeout};

    use super::*;

    const RESPONSE: &[u8] = b"431";

    async fn connection() -> (TcpStream, LingeringClose<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, LingeringClose::new(listener.accept().await.unwrap().0))
    }

    /// Reads as much as a full head buffer holds, answers, and closes.
    async fn answer_and_close(mut server: LingeringClose<TcpStream>) {
        server.read_exact(&mut [0; 1024]).await.unwrap();
        server.write_all(RESPONSE).await.unwrap();
        server.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn client_that_still_sends_receives_the_response() {
        let (mut client, server) = connection().await;
        let server = tokio::spawn(answer_and_close(server));
        for _ in 0..10 {
            client.write_all(&[b'x'; 8 * 1024]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut response = Vec::new();
        client.read_to_end(&mut response).await.unwrap();
        assert_eq!(response, RESPONSE);
        drop(client);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn connection_without_unread_input_closes_at_once() {
        let (mut client, mut server) = connection().await;
        client.write_all(b"request").await.unwrap();
        assert_eq!(server.read(&mut [0; 1024]).await.unwrap(), 7);
        // The client stays connected.
        let started = Instant::now();
        server.shutdown().await.unwrap();
        assert!(started.elapsed() < MAX_WAIT / 2);
    }

    #[tokio::test]
    async fn silent_client_is_awaited_for_a_limited_time() {
        let (mut client, server) = connection().await;
        client.write_all(&[b'x'; 1024]).await.unwrap();
        timeout(2 * MAX_WAIT, answer_and_close(server)).await.unwrap();
    }

    #[tokio::test]
    async fn client_that_never_stops_is_cut_off() {
        let (mut client, server) = connection().await;
        let server = tokio::spawn(answer_and_close(server));
        let sent = timeout(10 * MAX_WAIT, async {
            let mut sent = 0;
            while client.write_all(&[b'x'; 8 * 1024]).await.is_ok() {
                sent += 8 * 1024;
            }
            sent
        });
        // The kernel's buffers hold some megabytes more.
        assert!(sent.await.unwrap() < 16 * MAX_DISCARDED_BYTES);
        server.await.unwrap();
    }
}
