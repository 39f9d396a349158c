//! The HTTP listener that all routes share: the same accept loop, limits, socket options and HTTP settings. So REST
//! and gRPC differ only in their protocol.
//!
//! `socket` accepts TCP connections, `transport` adds TLS, `connection` serves HTTP, `write_coalescing` lets responses leave
//! together, and `lingering_close` ends a connection without the loss of its last response.

mod args;
mod connection;
mod http_service;
mod in_flight;
mod lingering_close;
mod refusal_log;
mod socket;
mod tls;
mod tracked_body;
mod transport;
mod write_coalescing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use args::{ListenerArgs, MAX_HEAD_BYTES};
pub use http_service::HttpService;
pub use socket::bind;
pub use tls::TlsArgs;

use crate::process::Process;
use connection::{Protocols, Shared};
use in_flight::InFlightRequests;
use refusal_log::RefusalLog;
pub(crate) use tls::{Tls, TlsFiles};

/// Maximum number of open connections; it limits memory and file descriptors. Further connections wait in the kernel's
/// accept queue.
const MAX_CONNECTIONS: u32 = 1024;

/// The listener's settings, for the effective configuration.
pub(crate) fn settings(args: &ListenerArgs) -> impl IntoIterator<Item = (&'static str, String)> {
    let listener_settings = [
        ("tcp_nodelay", (!args.nagle).to_string()),
        ("max_connections", MAX_CONNECTIONS.to_string()),
        ("max_calls", args.max_calls.to_string()),
        ("head_timeout_ms", args.head_timeout_ms.to_string()),
        ("idle_timeout_ms", args.idle_timeout_ms.to_string()),
    ];
    let listener_settings = listener_settings.into_iter();
    listener_settings
        .chain(args.tls.settings())
        .chain(connection::settings())
}

/// Like [`serve_per_peer`], with the same services for all connections.
pub async fn serve<S: HttpService>(
    listener: TcpListener,
    service: S,
    overload_service: S,
    args: ListenerArgs,
    process: &Process,
) -> anyhow::Result<()> {
    let services = |_| (service.clone(), overload_service.clone());
    serve_per_peer(listener, services, args, process).await
}

/// Serves HTTP/1.1 and HTTP/2, with TLS if `args` have a certificate, until `process.shutdown` is cancelled. Then it stops
/// accepting, lets every connection finish its requests in flight, and returns when all connections are closed or
/// `process.connections_timeout()` has passed. Errors if the TLS files are missing or invalid.
///
/// `services` returns two services for a peer's connection: one for requests, and one for requests beyond the limit. The
/// second one must respond at once.
pub async fn serve_per_peer<S: HttpService>(
    listener: TcpListener,
    services: impl Fn(SocketAddr) -> (S, S),
    args: ListenerArgs,
    process: &Process,
) -> anyhow::Result<()> {
    let tls = args.tls.files().map(Tls::load).transpose()?;
    if tls.is_none() {
        warn_without_tls(listener.local_addr()?, "--tls-cert, --tls-key");
    }
    let timeout = process.connections_timeout();
    accept_until(process.shutdown.clone(), timeout, listener, services, args, tls).await
}

/// Like [`serve_per_peer`], until `shutdown` is cancelled, and with the certificates `tls`. Then connections may finish for
/// `timeout`.
pub(crate) async fn accept_until<S: HttpService>(
    shutdown: CancellationToken,
    timeout: Duration,
    listener: TcpListener,
    services: impl Fn(SocketAddr) -> (S, S),
    args: ListenerArgs,
    tls: Option<Tls>,
) -> anyhow::Result<()> {
    if let Some(tls) = &tls {
        tokio::spawn(tls.watch(shutdown.clone()));
    }
    let shared = Arc::new(Shared {
        tls,
        protocols: Protocols::new(&args),
        in_flight: Arc::new(InFlightRequests::new(args.max_calls as usize)),
        refusals: RefusalLog::default(),
        shutdown: shutdown.clone(),
        args,
    });
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let accept_next = async || {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        anyhow::Ok((socket::accept(&listener, &shared.args).await, slot))
    };
    loop {
        let ((socket, peer), slot) = tokio::select! {
            accepted = accept_next() => accepted?,
            () = shutdown.cancelled() => break,
        };
        let connection = connection::serve(socket, peer, Arc::clone(&shared), services(peer));
        tokio::spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let all_closed = slots.acquire_many(MAX_CONNECTIONS);
    if tokio::time::timeout(timeout, all_closed).await.is_err() {
        tracing::warn!(?timeout, "connections were still open when the drain ended");
    }
    Ok(())
}

/// `options` turn TLS on.
pub(crate) fn warn_without_tls(address: SocketAddr, options: &str) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "other machines can read and change what clients send: TLS is off ({options})");
    }
}
