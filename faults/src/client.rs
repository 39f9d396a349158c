//! A client at one of the three doors, past the Ingress: casts a vote and says what became of it.

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

/// What is voted for: band, album, year, rank. More than one, so that the tallies by band and album have to be right too.
const CHOICES: [[&str; 4]; 4] = [
    ["Bohemia Suburbana", "Sombras", "1997", "9.5"],
    ["Alux Nahual", "Centroamérica", "1984", "9.75"],
    ["Malacates Trébol Shop", "Paquetecuetes", "2009", "8"],
    ["Bohemia Suburbana", "Mil Palabras con sus Dientes", "1996", "10"],
];

/// What became of an attempt to vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, under this id.
    Receipt(Uuid),
    /// Refused at once, for too many votes are in flight: 429 or RESOURCE_EXHAUSTED.
    Overloaded,
    /// Refused for another reason.
    Refused,
    /// No connection, or no answer within the client's patience.
    Silence,
}

/// A client with a connection of its own, made when it is needed and made anew when it breaks.
#[derive(Clone, Debug)]
pub struct Client {
    route: Route,
    door: Door,
}

#[derive(Clone, Debug)]
enum Door {
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
        let http = |base: &str| -> Result<Door> {
            let client = reqwest::Client::builder().http1_only().build()?;
            Ok(Door::Http {
                client,
                url: format!("{base}/v1/votes"),
            })
        };
        let door = match route {
            Route::Rest => http(&endpoints.rest)?,
            Route::Bridge => http(&endpoints.bridge)?,
            Route::Grpc => {
                let channel = Channel::from_shared(endpoints.grpc.clone())?.connect_lazy();
                Door::Grpc(VoteServiceClient::new(channel))
            }
        };
        Ok(Self { route, door })
    }

    /// The route that it votes by.
    pub fn route(&self) -> Route {
        self.route
    }

    /// Casts a vote, under an id of the client's own if there is one, and waits no longer than `patience`.
    pub async fn cast(&self, vote_id: Option<Uuid>, patience: Duration) -> Outcome {
        let answer = async {
            match &self.door {
                Door::Http { client, url } => post(client, url, vote_id).await,
                Door::Grpc(service) => call(service.clone(), vote_id).await,
            }
        };
        tokio::time::timeout(patience, answer)
            .await
            .unwrap_or(Outcome::Silence)
    }
}

async fn post(client: &reqwest::Client, url: &str, vote_id: Option<Uuid>) -> Outcome {
    let [name, album, year, rank] = choice();
    let mut vote = json!({ "name": name, "album": album, "year": year, "rank": rank });
    if let (Some(id), Some(fields)) = (vote_id, vote.as_object_mut()) {
        fields.insert("vote_id".to_owned(), json!(id));
    }
    let Ok(response) = client.post(url).json(&vote).send().await else {
        return Outcome::Silence;
    };
    match response.status() {
        StatusCode::ACCEPTED => response
            .json()
            .await
            .map_or(Outcome::Silence, |Receipt { vote_id }| Outcome::Receipt(vote_id)),
        StatusCode::TOO_MANY_REQUESTS => Outcome::Overloaded,
        _ => Outcome::Refused,
    }
}

async fn call(mut service: VoteServiceClient<Channel>, vote_id: Option<Uuid>) -> Outcome {
    let [name, album, year, rank] = choice().map(str::to_owned);
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
            .map_or(Outcome::Refused, Outcome::Receipt),
        Err(status) if status.code() == Code::ResourceExhausted => Outcome::Overloaded,
        // The client library's word for a connection that broke or never was; a service's refusal has details.
        Err(status) if status.details().is_empty() => Outcome::Silence,
        Err(_) => Outcome::Refused,
    }
}

fn choice() -> [&'static str; 4] {
    fastrand::choice(CHOICES).unwrap_or_default()
}
