//! gRPC-Web, for web pages: browsers cannot send native gRPC. tonic-web translates such calls.

use std::convert::Infallible;
use std::error::Error;
use std::task::{Context, Poll};

use axum::BoxError;
use futures::future::Either;
use http::{HeaderMap, HeaderName, header};
use http_body_util::BodyExt;
use ingest::IngestError;
use service::CorsArgs;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use crate::request_bytes::RequestBytes;

/// What a page may send, in addition to what CORS always allows.
const REQUEST_HEADERS: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static(ingest::TRACEPARENT),
    HeaderName::from_static(ingest::TRACESTATE),
    HeaderName::from_static("x-dualpath-timing"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
];
/// What a page may read.
const RESPONSE_HEADERS: [HeaderName; 6] = [
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("x-ingest-route"),
];

/// The CORS layer of gRPC-Web; `None` if no origin is allowed.
pub(crate) fn cors_layer(args: &CorsArgs) -> Option<CorsLayer> {
    args.layer(REQUEST_HEADERS, RESPONSE_HEADERS)
}

/// A gRPC service that also takes gRPC-Web. Native calls do not pass through the translation.
#[derive(Clone, Debug)]
pub(crate) struct WithWeb<I> {
    native: I,
    web: GrpcWebService<I>,
}

impl<I: Clone> WithWeb<I> {
    pub(crate) fn new(native: I) -> Self {
        let web = GrpcWebLayer::new().layer(native.clone());
        Self { native, web }
    }
}

impl<I, B> Service<http::Request<B>> for WithWeb<I>
where
    I: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>
        + Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    B: RequestBytes,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<
        <I as Service<http::Request<B>>>::Future,
        <GrpcWebService<I> as Service<http::Request<Body>>>::Future,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<B>>::poll_ready(&mut self.native, context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if is_grpc_web(request.headers()) {
            Either::Right(
                self.web
                    .call(request.map(|body| Body::new(body.map_err(describe)))),
            )
        } else {
            Either::Left(Service::<http::Request<B>>::call(&mut self.native, request))
        }
    }
}

fn is_grpc_web(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web"))
}

/// tonic-web turns every error of a body into an INTERNAL status with this prefix and the text of the error.
const TONIC_WEB: &str = "tonic-web: ";

/// The text of a disconnection within a status of tonic-web.
const DISCONNECTED: &str = "the client disconnected";

fn describe(error: impl Into<BoxError>) -> BoxError {
    match http_api::body_error(&*error.into()) {
        IngestError::ClientDisconnected => DISCONNECTED.into(),
        error => error.detail().into(),
    }
}

/// The error of a gRPC-Web body. `None` for the body of another call.
pub(crate) fn body_error(error: &(dyn Error + 'static)) -> Option<IngestError> {
    let status = error.downcast_ref::<Status>()?;
    let reason = status.message().strip_prefix(TONIC_WEB)?;
    if status.code() != Code::Internal {
        return None;
    }
    if reason.contains(DISCONNECTED) {
        Some(IngestError::ClientDisconnected)
    } else {
        Some(IngestError::Malformed(format!(
            "the body is not gRPC-Web: {reason}"
        )))
    }
}
