//! A server in this process that answers every vote at once. Calibration measures the load generator against it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use proto::votes::Receipt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::grpc_frame;

/// A server on its own thread. It stops when this value is dropped.
pub(crate) struct LoopbackServer {
    address: SocketAddr,
    _stop_on_drop: oneshot::Sender<Infallible>,
}

impl LoopbackServer {
    pub(crate) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop_on_drop, dropped) = oneshot::channel::<Infallible>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("loopback".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        // If serving fails, the clients' connections report the error.
                        _ = serve(listener) => {}
                        _ = dropped => {}
                    }
                });
            })
            .context("starting the thread of the loopback server")?;
        Ok(Self {
            address,
            _stop_on_drop: stop_on_drop,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: std::net::TcpListener) -> std::io::Result<Infallible> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            let serving = connection.serve_connection(TokioIo::new(stream), service_fn(answer));
            // The client of a broken connection reports the error.
            let _ = serving.await;
        });
    }
}

type Body = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let receipt = Receipt {
        vote_id: Uuid::nil().to_string(),
        ..Receipt::default()
    };
    let mut trailers = HeaderMap::new();
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let (status, body) = match content_type {
        Some(b"application/grpc") => {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            (StatusCode::OK, grpc_frame::encode(&receipt))
        }
        Some(b"application/x-protobuf") => (StatusCode::ACCEPTED, receipt.encode_to_vec().into()),
        _ => (
            StatusCode::ACCEPTED,
            format!(r#"{{"vote_id":"{}"}}"#, receipt.vote_id).into(),
        ),
    };
    let trailers = (!trailers.is_empty()).then_some(Ok(trailers));
    let mut response = Response::new(Full::new(body).with_trailers(ready(trailers)));
    *response.status_mut() = status;
    Ok(response)
}
