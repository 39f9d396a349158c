//! One connection from its first byte to its end.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::answer::Answer;
use super::calls::{Activity, Calls, Connection, Room};
use super::{ListenerArgs, socket};

/// Size of an HTTP/1.1 connection's buffer, which bounds a request head; also HTTP/2's limit for a header list.
const MAX_HEAD_BYTES: u32 = 16 * 1024;
/// Calls in flight on one HTTP/2 connection: as many as the default in-flight limit, because the bridge has one
/// connection and its calls must be refused by admission and not queue in its client.
const MAX_CONCURRENT_STREAMS: u32 = 4096;
/// HTTP/2 flow-control window of a stream: a batch of 1,000 usual votes fits. Each stream that is not read holds so much.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// HTTP/2 flow-control window of a connection: thousands of votes on their way.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What an answer may put into its HTTP/2 stream before the client takes it: a stream's answers, as much as its votes.
const SEND_BUFFER_BYTES: usize = STREAM_WINDOW_BYTES as usize;
/// Streams that a client may reset before they were even looked at; one more, and the connection is closed. The
/// library's own choice, stated because it is the answer to rapid resets (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Streams that a client may make the library reset by errors; each leaves a small record. The library's own choice.
const MAX_ERROR_RESETS: usize = 1024;
/// A silent HTTP/2 connection is pinged after this time ...
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// ... and closed when it does not answer within this one: half-open connections do not pile up.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The protocols' settings, for the effective configuration.
pub(super) fn settings() -> impl IntoIterator<Item = (&'static str, String)> {
    [
        ("max_head_bytes", MAX_HEAD_BYTES.to_string()),
        ("h2_max_concurrent_streams", MAX_CONCURRENT_STREAMS.to_string()),
        ("h2_stream_window", STREAM_WINDOW_BYTES.to_string()),
        ("h2_connection_window", CONNECTION_WINDOW_BYTES.to_string()),
        ("h2_send_buffer", SEND_BUFFER_BYTES.to_string()),
        ("h2_max_pending_resets", MAX_PENDING_RESETS.to_string()),
        ("h2_max_error_resets", MAX_ERROR_RESETS.to_string()),
        ("h2_ping_interval_ms", PING_INTERVAL.as_millis().to_string()),
        ("h2_ping_timeout_ms", PING_TIMEOUT.as_millis().to_string()),
    ]
}

/// The protocols as all connections speak them.
pub(super) fn protocols(args: &ListenerArgs) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(args.head_timeout())
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(MAX_HEAD_BYTES)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// There was not even room for a refusal; HTTP/2 resets the stream, HTTP/1.1 closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("too many calls")]
struct Exhausted;

/// Serves one connection: `service` answers while there is room for calls, `overflow` when there is none. Ends when the
/// client has left, when it does nothing for too long, or after `shutdown` with the last call in flight.
pub(super) async fn serve<S, F>(
    stream: TcpStream,
    protocols: Arc<Builder<TokioExecutor>>,
    (service, overflow): (S, S),
    calls: Arc<Calls>,
    args: Arc<ListenerArgs>,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let has_spoken = tokio::select! {
        clear = socket::protocol_is_clear(&stream) => clear.is_ok(),
        () = tokio::time::sleep(args.head_timeout()) => false,
        () = shutdown.cancelled() => false,
    };
    if !has_spoken {
        return;
    }
    let connection = Arc::new(Connection::new(calls));
    let answer = |request| {
        let (call, room) = connection.begin();
        let service = match room {
            Room::Free => Some(service.clone()),
            Room::Full => Some(overflow.clone()),
            Room::Exhausted => None,
        };
        async move {
            let response = service.ok_or(Exhausted)?.oneshot(request).await;
            let response = response.unwrap_or_else(|never| match never {});
            Ok::<_, Exhausted>(response.map(|body| Answer::new(body, call)))
        }
    };
    let served = protocols.serve_connection(TokioIo::new(stream), service_fn(answer));
    tokio::pin!(served);
    let mut looks = interval_at(Instant::now() + args.idle_timeout(), args.idle_timeout());
    let mut is_closing = false;
    loop {
        tokio::select! {
            ended = &mut served => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !is_closing => {}
            _ = looks.tick() => match connection.look() {
                Activity::Busy => continue,
                Activity::Idle if is_closing => return,
                Activity::Idle => {}
                Activity::Stuck => {
                    tracing::debug!("connection closed: the client does not take its answers");
                    return;
                }
            },
        }
        served.as_mut().graceful_shutdown();
        is_closing = true;
    }
}
