//! The gRPC services. tonic serves every method; this file maps its path to it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use auth::Identity;
use axum::Router;
use futures::{FutureExt, TryFutureExt};
use ingest::{Ingest, IngestError, Sink};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::methods::{self, Server};
use crate::request_bytes::RequestBytes;
use crate::{health_and_reflection, status, stream};

type Response = Result<http::Response<Body>, Infallible>;
type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A method that takes votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    CastVote,
    CastVotes,
    StreamVotes,
    ReturnInfo,
    Forward,
}

impl Method {
    fn of_path(path: &str) -> Option<Self> {
        match path {
            "/votes.v1.VoteService/CastVote" => Some(Self::CastVote),
            "/votes.v1.VoteService/CastVotes" => Some(Self::CastVotes),
            "/votes.v1.VoteService/StreamVotes" => Some(Self::StreamVotes),
            "/confproto.getInfo/returnInfo" => Some(Self::ReturnInfo),
            "/votes.v1.BridgeService/Forward" => Some(Self::Forward),
            _ => None,
        }
    }
}

impl<S: Sink> Server<S> {
    /// Who calls the method; `None` if authentication is off.
    fn authenticate<B>(
        &self,
        method: Method,
        request: &http::Request<B>,
    ) -> Result<Option<Arc<Identity>>, IngestError> {
        let credentials = || http_api::credentials(request);
        if method != Method::Forward {
            return self.native.authenticate(credentials);
        }
        let client = self.forwarded.authenticate(credentials)?;
        match &client {
            // It would choose the time and the id of votes.
            Some(client) if !client.may_forward() => Err(IngestError::Forbidden(format!(
                "{} may not forward votes (may_forward in the file of identities)",
                client.name()
            ))),
            _ => Ok(client),
        }
    }

    /// Counts a call that is rejected before a service reads it, if the call would have carried a vote.
    pub(crate) fn count_unread(&self, path: &str, error: &IngestError) {
        let ingest: &Ingest<S> = match Method::of_path(path) {
            Some(Method::Forward) => &self.forwarded,
            Some(_) => &self.native,
            None => return,
        };
        ingest.start_timer().finish(&Err(error.clone()));
    }
}

/// Every service of the server.
#[derive(Debug)]
pub(crate) enum Services<S> {
    /// Serves every call.
    Open {
        /// Takes votes.
        server: Arc<Server<S>>,
        /// Health and reflection; UNIMPLEMENTED for every unknown method.
        others: Router,
    },
    /// Rejects every call. The listener uses it while the limit of requests in flight is reached.
    Overloaded(Arc<Server<S>>),
}

impl<S> Clone for Services<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Open { server, others } => Self::Open {
                server: Arc::clone(server),
                others: others.clone(),
            },
            Self::Overloaded(server) => Self::Overloaded(Arc::clone(server)),
        }
    }
}

impl<S: Sink, B: RequestBytes> Service<http::Request<B>> for Services<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> ResponseFuture {
        match self {
            Self::Open { server, others } => serve(server, others, request),
            Self::Overloaded(server) => {
                Box::pin(reject(overload_response(server, request.uri().path()), request))
            }
        }
    }
}

fn serve<S: Sink, B: RequestBytes>(
    server: &Arc<Server<S>>,
    others: &mut Router,
    mut request: http::Request<B>,
) -> ResponseFuture {
    let Some(method) = Method::of_path(request.uri().path()) else {
        let response = Service::call(others, request);
        return Box::pin(response.map_ok(|response| response.map(Body::new)));
    };
    match server.authenticate(method, &request) {
        Ok(None) => {}
        Ok(Some(client)) => drop(request.extensions_mut().insert(client)),
        Err(error) => {
            server.count_unread(request.uri().path(), &error);
            return Box::pin(reject(status::error_response(&error), request));
        }
    }
    let server = Arc::clone(server);
    match method {
        Method::CastVote => Box::pin(async move { Ok(methods::cast_vote(&server, request).await) }),
        Method::CastVotes => Box::pin(async move { Ok(methods::cast_votes(&server, request).await) }),
        Method::StreamVotes => Box::pin(stream::stream_votes(server, request).map(Ok)),
        Method::ReturnInfo => Box::pin(async move { Ok(methods::return_info(&server, request).await) }),
        Method::Forward => Box::pin(async move { Ok(methods::forward(&server, request).await) }),
    }
}

fn overload_response<S: Sink>(server: &Server<S>, path: &str) -> http::Response<Body> {
    if Method::of_path(path).is_none() && !health_and_reflection::has_service(path) {
        return unknown_method();
    }
    server.count_unread(path, &IngestError::Overloaded);
    status::error_response(&IngestError::Overloaded)
}

async fn reject<B: RequestBytes>(response: http::Response<Body>, request: http::Request<B>) -> Response {
    http_api::discard_briefly(&mut axum::body::Body::new(request.into_body())).await;
    Ok(response)
}

/// The response to a call of a method that does not exist.
fn unknown_method() -> http::Response<Body> {
    Status::unimplemented("the server has no such method; reflection lists its services and methods")
        .into_http()
}
