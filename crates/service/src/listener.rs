//! The one listener behind both routes: the same accept loop, limits, socket options and HTTP settings, so that what
//! differs between REST and gRPC is the protocol and nothing else.

mod answer;
mod args;
mod calls;
mod connection;
mod socket;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

pub use args::ListenerArgs;
pub use socket::bind;

use crate::Process;
use crate::listener::calls::Calls;

/// Connections at a time; further ones wait in the kernel's accept queue. Bounds memory and file descriptors.
const MAX_CONNECTIONS: u32 = 1024;

/// The listener's settings, for the effective configuration.
pub(crate) fn settings(args: &ListenerArgs) -> impl IntoIterator<Item = (&'static str, String)> {
    let own = [
        ("tcp_nodelay", (!args.nagle).to_string()),
        ("max_connections", MAX_CONNECTIONS.to_string()),
        ("max_calls", args.max_calls.to_string()),
        ("head_timeout_ms", args.head_timeout_ms.to_string()),
        ("idle_timeout_ms", args.idle_timeout_ms.to_string()),
    ];
    own.into_iter().chain(connection::settings())
}

/// As [`serve_peers`], with one service for all connections.
pub async fn serve<S, F>(
    listener: TcpListener,
    service: S,
    overflow: S,
    args: ListenerArgs,
    process: &Process,
) -> anyhow::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + Sync
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let services = |_: &TcpStream| (service.clone(), overflow.clone());
    serve_peers(listener, services, args, process).await
}

/// Serves HTTP/1.1 and HTTP/2 without TLS until `shutdown`; then stops accepting, asks every connection to finish what
/// it has in flight, and returns when all have or when their share of the drain has passed. `services` gives a connection
/// its service, and another for the calls beyond the limit, which must answer at once.
pub async fn serve_peers<S, F>(
    listener: TcpListener,
    services: impl Fn(&TcpStream) -> (S, S),
    args: ListenerArgs,
    process: &Process,
) -> anyhow::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + Sync
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let protocols = Arc::new(connection::protocols(&args));
    let calls = Arc::new(Calls::new(args.max_calls as usize));
    let args = Arc::new(args);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await?;
        anyhow::Ok((socket::accept(&listener, &args).await, place))
    };
    loop {
        let (stream, place) = tokio::select! {
            accepted = next() => accepted?,
            () = process.shutdown.cancelled() => break,
        };
        let services = services(&stream);
        let connection = connection::serve(
            stream,
            Arc::clone(&protocols),
            services,
            Arc::clone(&calls),
            Arc::clone(&args),
            process.shutdown.clone(),
        );
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    let timeout = process.connections_timeout();
    let all_closed = places.acquire_many(MAX_CONNECTIONS);
    if tokio::time::timeout(timeout, all_closed).await.is_err() {
        tracing::warn!(?timeout, "connections were still open when the drain ended");
    }
    Ok(())
}
