//! A client of one of the three routes, without the Ingress: sends a vote and returns the outcome.

use std::time::Duration;

use anyhow::Result;
use lab::endpoints::Endpoints;
use proto::votes::Vote;
use proto::votes::vote_service_client::VoteServiceClient;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;
use vote::Route;

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
    Http { client: reqwest::Client, url: String },
    Grpc(VoteServiceClient<Channel>),
}

#[derive(Deserialize)]
struct Receipt {
    vote_id: Uuid,
}

impl Client {
    /// A client of `route`.
    pub fn new(route: Route, endpoints: &Endpoints) -> Result<Self> {
        let http = |base: &str| -> Result<Endpoint> {
            let client = reqwest::Client::builder().http1_only().build()?;
            Ok(Endpoint::Http {
                client,
                url: format!("{base}/v1/votes"),
            })
        };
        let endpoint = match route {
            Route::Rest => http(&endpoints.rest)?,
            Route::Bridge => http(&endpoints.bridge)?,
            Route::Grpc => {
                let channel = Channel::from_shared(endpoints.grpc.clone())?.connect_lazy();
                Endpoint::Grpc(VoteServiceClient::new(channel))
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
                Endpoint::Http { client, url } => send_by_http(client, url, vote_id).await,
                Endpoint::Grpc(service) => send_by_grpc(service.clone(), vote_id).await,
            }
        };
        tokio::time::timeout(timeout, response)
            .await
            .unwrap_or(Outcome::NoResponse)
    }
}

async fn send_by_http(client: &reqwest::Client, url: &str, vote_id: Option<Uuid>) -> Outcome {
    let [name, album, year, rank] = random_vote();
    let mut vote = json!({ "name": name, "album": album, "year": year, "rank": rank });
    if let (Some(id), Some(fields)) = (vote_id, vote.as_object_mut()) {
        fields.insert("vote_id".to_owned(), json!(id));
    }
    let Ok(response) = client.post(url).json(&vote).send().await else {
        return Outcome::NoResponse;
    };
    match response.status() {
        StatusCode::ACCEPTED => response
            .json()
            .await
            .map_or(Outcome::NoResponse, |Receipt { vote_id }| {
                Outcome::Receipt(vote_id)
            }),
        StatusCode::TOO_MANY_REQUESTS => Outcome::Overloaded,
        _ => Outcome::Rejected,
    }
}

async fn send_by_grpc(mut service: VoteServiceClient<Channel>, vote_id: Option<Uuid>) -> Outcome {
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
