//! The outermost layer of the gRPC services: rejects what is not a gRPC call before a service reads it, and names the route
//! in every response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use futures::FutureExt;
use futures::future::{Either, Map};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_api::ROUTE_HEADER;
use ingest::{IngestError, Sink};
use service::listener::MAX_HEAD_BYTES;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::methods::Server;
use crate::request_bytes::RequestBytes;
use crate::status;
use vote::Route;

/// The value of [`ROUTE_HEADER`] in every response.
pub(crate) const ROUTE: HeaderValue = HeaderValue::from_static(Route::Grpc.as_str());
/// HTTP/2 adds this number of bytes to the size of each header field.
const FIELD_OVERHEAD: usize = 32;

type Response = Result<http::Response<Body>, Infallible>;
type BoxFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Passes gRPC calls to `inner`.
#[derive(Debug)]
pub(crate) struct Edge<S, I> {
    server: Arc<Server<S>>,
    inner: I,
}

impl<S, I> Edge<S, I> {
    pub(crate) fn new(server: Arc<Server<S>>, inner: I) -> Self {
        Self { server, inner }
    }
}

impl<S, I: Clone> Clone for Edge<S, I> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.server), self.inner.clone())
    }
}

impl<S, I, B> Service<http::Request<B>> for Edge<S, I>
where
    S: Sink,
    I: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    B: RequestBytes,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Map<Either<I::Future, BoxFuture>, fn(Response) -> Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let response = match Rejection::of(&request) {
            None => Either::Left(self.inner.call(request)),
            Some(rejection) => {
                let server = Arc::clone(&self.server);
                Either::Right(
                    Box::pin(async move { Ok(reject(&server, request, rejection).await) }) as BoxFuture,
                )
            }
        };
        response.map(with_route_header)
    }
}

fn with_route_header(response: Response) -> Response {
    response.map(|mut response| {
        response.headers_mut().insert(ROUTE_HEADER, ROUTE);
        response
    })
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rejection {
    /// The HTTP method is not POST.
    Method,
    /// An error of the call's head.
    Head(IngestError),
}

impl Rejection {
    fn of<B>(request: &http::Request<B>) -> Option<Self> {
        if request.method() != Method::POST {
            return Some(Self::Method);
        }
        check_head(request).err().map(Self::Head)
    }
}

fn check_head<B>(request: &http::Request<B>) -> Result<(), IngestError> {
    let headers = request.headers();
    if head_size(request) > MAX_HEAD_BYTES as usize {
        return Err(IngestError::HeadTooLarge(MAX_HEAD_BYTES));
    }
    if !is_protobuf_over_grpc(headers) {
        return Err(IngestError::UnsupportedGrpcType);
    }
    match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"gzip" | b"identity") => Ok(()),
        Some(_) => Err(IngestError::UnsupportedEncoding),
    }
}

/// The size of the header list, as HTTP/2 defines it.
fn head_size<B>(request: &http::Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD);
    target + authority + fields.sum::<usize>()
}

/// Whether there is exactly one content type, and it is `application/grpc`, alone or with the format `proto` or parameters.
fn is_protobuf_over_grpc(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/grpc")
        || essence.eq_ignore_ascii_case(b"application/grpc+proto")
}

async fn reject<S: Sink, B: RequestBytes>(
    server: &Server<S>,
    request: http::Request<B>,
    rejection: Rejection,
) -> http::Response<Body> {
    let response = match rejection {
        Rejection::Method => method_not_allowed(),
        Rejection::Head(error) => {
            server.count_unread(request.uri().path(), &error);
            status::error_response(&error)
        }
    };
    http_api::discard_briefly(&mut AxumBody::new(request.into_body())).await;
    response
}

fn method_not_allowed() -> http::Response<Body> {
    let mut response = Status::unimplemented("send gRPC calls with POST").into_http();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}
