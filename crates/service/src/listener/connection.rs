//! One HTTP connection from its first byte to its end.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::args::{ListenerArgs, MAX_HEAD_BYTES};
use super::http_service::HttpService;
use super::in_flight::{Activity, Capacity, ConnectionRequests, InFlightRequests};
use super::lingering_close::LingeringClose;
use super::refusal_log::RefusalLog;
use super::tls::Tls;
use super::tracked_body::TrackedBody;
use super::transport::{self, Version};
use super::write_coalescing::WriteCoalescing;

/// Requests in flight on one HTTP/2 connection: as many as the default in-flight limit. The bridge has one connection, and
/// admission must reject its requests before they queue in its client.
const MAX_CONCURRENT_STREAMS: u32 = 4096;
/// HTTP/2 flow-control window of a stream: a batch of 1,000 usual votes fits. Each unread stream buffers up to this size.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// HTTP/2 flow-control window of a connection: thousands of votes in transit.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// How many bytes of a response an HTTP/2 stream buffers until the client reads them: the same as for votes.
const SEND_BUFFER_BYTES: usize = STREAM_WINDOW_BYTES as usize;
/// Streams that a client may reset before the service has accepted them. One more closes the connection. Equal to the
/// library's default; stated here because it protects against rapid resets (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Streams that a client may make the library reset by errors. The library keeps a small record of each. Equal to the
/// library's default.
const MAX_ERROR_RESETS: usize = 1024;
/// A silent HTTP/2 connection is pinged after this time.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// An HTTP/2 connection that does not answer a ping within this time is closed, so that half-open connections do not
/// accumulate.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The HTTP settings, for the effective configuration.
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

/// HTTP with the settings that all connections share.
#[derive(Debug)]
pub(super) struct Protocols {
    by_preface: Builder<TokioExecutor>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
}

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) args: ListenerArgs,
    /// None if TLS is off.
    pub(super) tls: Option<Tls>,
    pub(super) protocols: Protocols,
    pub(super) in_flight: Arc<InFlightRequests>,
    pub(super) refusals: RefusalLog,
    pub(super) shutdown: CancellationToken,
}

impl Protocols {
    pub(super) fn new(args: &ListenerArgs) -> Self {
        let builder = builder(args);
        Self {
            http1: builder.clone().http1_only(),
            http2: builder.clone().http2_only(),
            by_preface: builder,
        }
    }

    fn of(&self, version: Version) -> &Builder<TokioExecutor> {
        match version {
            Version::Preface => &self.by_preface,
            Version::Http1 => &self.http1,
            Version::Http2 => &self.http2,
        }
    }
}

fn builder(args: &ListenerArgs) -> Builder<TokioExecutor> {
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
        .max_header_list_size(args.h2_head_limit)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Drops a request without a response: HTTP/2 resets the stream, HTTP/1.1 closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("too many requests in flight")]
struct Exhausted;

/// Serves one connection. A request of a client with a certificate has it as an extension. `service` handles requests
/// within the limit, `overload_service` those beyond it. Returns when the client has disconnected, when it is idle or reads
/// nothing for too long, or after `shutdown` when the last request in flight has finished.
pub(super) async fn serve<S: HttpService>(
    socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    (service, overload_service): (S, S),
) {
    let Shared { args, shutdown, .. } = &*shared;
    let opened = tokio::select! {
        opened = transport::open(socket, shared.tls.as_ref()) => opened,
        () = tokio::time::sleep(args.head_timeout()) => return,
        () = shutdown.cancelled() => return,
    };
    let (transport, version) = match opened {
        Ok(opened) => opened,
        Err(error) => return shared.refusals.record(peer, &error),
    };
    let certificate = match transport::client_certificate(&transport) {
        Ok(certificate) => certificate,
        Err(error) => return shared.refusals.record(peer, &error),
    };
    let requests = Arc::new(ConnectionRequests::new(Arc::clone(&shared.in_flight)));
    let respond = |mut request: Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let (guard, capacity) = requests.begin();
        let service = match capacity {
            Capacity::Available => Some(service.clone()),
            Capacity::RejectionsOnly => Some(overload_service.clone()),
            Capacity::Exhausted => None,
        };
        async move {
            let response = service.ok_or(Exhausted)?.oneshot(request).await;
            let response = response.unwrap_or_else(|never| match never {});
            Ok::<_, Exhausted>(response.map(|body| TrackedBody::new(body, guard)))
        }
    };
    let served = shared
        .protocols
        .of(version)
        .serve_connection(TokioIo::new(LingeringClose::new(transport)), service_fn(respond));
    tokio::pin!(served);
    let mut activity_checks = interval_at(Instant::now() + args.idle_timeout(), args.idle_timeout());
    let mut is_closing = false;
    let mut coalescing = WriteCoalescing::default();
    loop {
        tokio::select! {
            ended = poll_fn(|context| coalescing.poll(served.as_mut(), requests.has_several(), context)) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = shutdown.cancelled(), if !is_closing => {}
            _ = activity_checks.tick() => match requests.check() {
                Activity::Busy => continue,
                Activity::Idle if is_closing => return,
                Activity::Idle => {}
                Activity::Stalled => {
                    tracing::debug!("connection closed: the client does not read its responses");
                    return;
                }
            },
        }
        served.as_mut().graceful_shutdown();
        is_closing = true;
    }
}
