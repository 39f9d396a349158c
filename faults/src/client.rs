//! A client of one of the three routes, without the Ingress: sends a vote and returns the outcome.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use lab::access::Access;
use proto::votes::Vote;
use proto::votes::vote_service_client::VoteServiceClient;
use serde::Deserialize;
use serde_json::json;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Status};
use uuid::Uuid;
use vote::Route;

use crate::transport::{self, HttpClient};

/// The votes: band, album, year, rank. Several, so that the reconciliation also covers the tallies by band and album.
const VOTES: [[&str; 4]; 4] = [
    ["Bohemia Suburbana", "Sombras", "1997", "9.5"],
    ["Alux Nahual", "Centroamérica", "1984", "9.75"],
    ["Malacates Trébol Shop", "Paquetecuetes", "2009", "8"],
    ["Bohemia Suburbana", "Mil Palabras con sus Dientes", "1996", "10"],
];

/// The outcome of one attempt to send a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged with this vote id.
    Receipt(Uuid),
    /// Rejected because too many votes are in flight: 429 or RESOURCE_EXHAUSTED.
    Overloaded,
    /// Rejected for another reason.
    Rejected,
    /// No connection, or no response within the timeout of the client.
    NoResponse,
}

/// A client with its own connection, which it opens on first use and reopens after an error.
#[derive(Clone, Debug)]
pub struct Client {
    route: Route,
    endpoint: Endpoint,
}

#[derive(Clone, Debug)]
enum Endpoint {
    Http(HttpEndpoint),
    Grpc(GrpcClient),
}

#[derive(Clone, Debug)]
struct HttpEndpoint {
    client: HttpClient<Full<Bytes>>,
    url: Uri,
    authorization: Option<HeaderValue>,
}

type GrpcClient = VoteServiceClient<InterceptedService<HttpClient<tonic::body::Body>, Authorization>>;

/// Adds the header `authorization` to calls of gRPC.
#[derive(Clone, Debug)]
struct Authorization(Option<HeaderValue>);

#[derive(Deserialize)]
struct Receipt {
    vote_id: Uuid,
}

impl Client {
    /// A client of `route`.
    pub fn new(route: Route, access: &Access) -> Result<Self> {
        let endpoints = access.endpoints();
        let authorization = transport::authorization(access)?;
        let http = |base: &str| -> Result<Endpoint> {
            Ok(Endpoint::Http(HttpEndpoint {
                client: transport::http1(access)?,
                url: format!("{base}/v1/votes").parse()?,
                authorization: authorization.clone(),
            }))
        };
        let endpoint = match route {
            Route::Rest => http(&endpoints.rest)?,
            Route::Bridge => http(&endpoints.bridge)?,
            Route::Grpc => {
                let service =
                    InterceptedService::new(transport::http2(access)?, Authorization(authorization.clone()));
                Endpoint::Grpc(VoteServiceClient::with_origin(service, endpoints.grpc.parse()?))
            }
        };
        Ok(Self { route, endpoint })
    }

    /// The route that the client uses.
    pub fn route(&self) -> Route {
        self.route
    }

    /// Sends a vote, with `vote_id` if the client chooses the id, and waits at most `timeout` for the response.
    pub async fn send_vote(&self, vote_id: Option<Uuid>, timeout: Duration) -> Outcome {
        let response = async {
            match &self.endpoint {
                Endpoint::Http(endpoint) => send_by_http(endpoint, vote_id).await,
                Endpoint::Grpc(service) => send_by_grpc(service.clone(), vote_id).await,
            }
        };
        tokio::time::timeout(timeout, response)
            .await
            .unwrap_or(Outcome::NoResponse)
    }
}

async fn send_by_http(endpoint: &HttpEndpoint, vote_id: Option<Uuid>) -> Outcome {
    let [name, album, year, rank] = random_vote();
    let mut vote = json!({ "name": name, "album": album, "year": year, "rank": rank });
    if let (Some(id), Some(fields)) = (vote_id, vote.as_object_mut()) {
        fields.insert("vote_id".to_owned(), json!(id));
    }
    let mut request = Request::new(Full::from(vote.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.url.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &endpoint.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    let Ok(response) = endpoint.client.request(request).await else {
        return Outcome::NoResponse;
    };
    match response.status() {
        StatusCode::ACCEPTED => receipt(response.into_body()).await.unwrap_or(Outcome::NoResponse),
        StatusCode::TOO_MANY_REQUESTS => Outcome::Overloaded,
        _ => Outcome::Rejected,
    }
}

async fn receipt(body: Incoming) -> Result<Outcome> {
    let body = body.collect().await?.to_bytes();
    let Receipt { vote_id } = serde_json::from_slice(&body)?;
    Ok(Outcome::Receipt(vote_id))
}

async fn send_by_grpc(mut service: GrpcClient, vote_id: Option<Uuid>) -> Outcome {
    let [name, album, year, rank] = random_vote().map(str::to_owned);
    let vote_id = vote_id.map_or_else(String::new, |id| id.to_string());
    match service
        .cast_vote(Vote {
            name,
            album,
            year,
            rank,
            vote_id,
        })
        .await
    {
        Ok(response) => response
            .into_inner()
            .vote_id
            .parse()
            .map_or(Outcome::Rejected, Outcome::Receipt),
        Err(status) if status.code() == Code::ResourceExhausted => Outcome::Overloaded,
        // An error of the service has details; without them the client library reports a connection that failed.
        Err(status) if status.details().is_empty() => Outcome::NoResponse,
        Err(_) => Outcome::Rejected,
    }
}

fn random_vote() -> [&'static str; 4] {
    fastrand::choice(VOTES).unwrap_or_default()
}

impl Interceptor for Authorization {
    fn call(&mut self, mut call: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(value) = &self.0 {
            let value = AsciiMetadataValue::try_from(value.as_bytes())
                .map_err(|error| Status::internal(error.to_string()))?;
            call.metadata_mut().insert(AUTHORIZATION.as_str(), value);
        }
        Ok(call)
    }
}
