//! The one listener behind both routes: the same accept loop, limits, socket options and HTTP settings, so that what
//! differs between REST and gRPC is the protocol and nothing else.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::Process;

/// Connections at a time; further ones wait in the kernel's accept queue. Bounds memory and file descriptors.
const MAX_CONNECTIONS: usize = 1024;
/// A request head must be complete after this time, else the connection is closed: the answer to header drips. It also
/// ends idle HTTP/1.1 connections, so a proxy's own idle time-out should be shorter.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Size of an HTTP/1.1 connection's buffer, which bounds a request head; also HTTP/2's limit for a header list.
const MAX_HEAD_BYTES: u32 = 16 * 1024;
/// Calls in flight on one HTTP/2 connection: as many as the default in-flight limit, because the bridge has one
/// connection and its calls must be refused by admission and not queue in its client.
const MAX_CONCURRENT_STREAMS: u32 = 4096;
/// HTTP/2 flow-control window of a stream: a whole batch of 1 MiB fits, so that no vote waits for a window update.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// HTTP/2 flow-control window of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// A silent HTTP/2 connection is pinged after this time ...
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// ... and closed when it does not answer within this one: half-open connections do not pile up.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for HTTP/1.1, by the kernel.
const TCP_KEEPALIVE: Duration = Duration::from_secs(20);
/// What an HTTP/2 client sends first.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Pause between two looks at a preface that has arrived in part.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);
/// Pause after a failed accept (out of file descriptors): the cause needs time to go away.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// The listener's settings, for the effective configuration.
pub fn settings() -> impl IntoIterator<Item = (&'static str, String)> {
    [
        ("tcp_nodelay", "true".to_owned()),
        ("max_connections", MAX_CONNECTIONS.to_string()),
        (
            "header_read_timeout_ms",
            HEADER_READ_TIMEOUT.as_millis().to_string(),
        ),
        ("max_head_bytes", MAX_HEAD_BYTES.to_string()),
        ("h2_max_concurrent_streams", MAX_CONCURRENT_STREAMS.to_string()),
        ("h2_stream_window", STREAM_WINDOW_BYTES.to_string()),
        ("h2_connection_window", CONNECTION_WINDOW_BYTES.to_string()),
        ("h2_ping_interval_ms", PING_INTERVAL.as_millis().to_string()),
        ("h2_ping_timeout_ms", PING_TIMEOUT.as_millis().to_string()),
    ]
}

/// Binds, with an error that names the option to change.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (--listen)"))
}

/// Serves HTTP/1.1 and HTTP/2 without TLS until `shutdown`; then stops accepting, asks every connection to finish what
/// it has in flight, and returns when all have or when their share of the drain has passed.
pub async fn serve<S, F>(listener: TcpListener, service: S, process: &Process) -> anyhow::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let builder = Arc::new(connection_builder());
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, permit) = tokio::select! {
            accepted = accept(&listener, &connections) => accepted?,
            () = process.shutdown.cancelled() => break,
        };
        let hyper_service = TowerToHyperService::new(service.clone());
        let (builder, drain) = (Arc::clone(&builder), graceful.watcher());
        let shutdown = process.shutdown.clone();
        tokio::spawn(async move {
            let has_spoken = tokio::select! {
                clear = protocol_is_clear(&stream) => clear.is_ok(),
                () = tokio::time::sleep(HEADER_READ_TIMEOUT) => false,
                () = shutdown.cancelled() => false,
            };
            if !has_spoken {
                return;
            }
            let connection = builder.serve_connection(TokioIo::new(stream), hyper_service);
            let watched = drain.watch(connection.into_owned());
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    let timeout = process.connections_timeout();
    if tokio::time::timeout(timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(?timeout, "connections were still open when the drain ended");
    }
    Ok(())
}

fn connection_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(MAX_HEAD_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> anyhow::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = tune(&stream) {
                    tracing::debug!(%error, "the client left before its socket was set up");
                    continue;
                }
                return Ok((stream, permit));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Waits until a client has sent enough to tell HTTP/1.1 from HTTP/2. hyper has no time limit on that: silent connections
/// would hold their places for ever.
async fn protocol_is_clear(stream: &TcpStream) -> std::io::Result<()> {
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

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    // Answers are small and somebody waits for each: Nagle would add up to 40 ms.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))
}
