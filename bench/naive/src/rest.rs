//! The REST service: `axum::serve` and `axum::Json` with default settings.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::publisher::Publisher;
use crate::votes::{self, Route};

/// A vote, as the client sends it.
#[derive(Deserialize)]
struct Vote {
    name: String,
    album: String,
    year: String,
    rank: String,
}

/// The response to a vote that Kafka acknowledged.
#[derive(Serialize)]
struct Receipt {
    vote_id: String,
    route: String,
    partition: i32,
    offset: i64,
}

/// Serves `POST /v1/votes` until the process ends.
pub(crate) async fn serve(address: SocketAddr, publisher: Publisher) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/v1/votes", post(cast_vote))
        .with_state(publisher);
    axum::serve(TcpListener::bind(address).await?, app).await?;
    Ok(())
}

async fn cast_vote(
    State(publisher): State<Publisher>,
    Json(vote): Json<Vote>,
) -> Result<(StatusCode, Json<Receipt>), StatusCode> {
    let Vote {
        name,
        album,
        year,
        rank,
    } = vote;
    let vote = votes::Vote {
        name,
        album,
        year,
        rank,
        ..votes::Vote::default()
    };
    let receipt = publisher
        .publish(vote, Route::Rest)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let receipt = Receipt {
        vote_id: receipt.vote_id,
        route: receipt.route,
        partition: receipt.partition,
        offset: receipt.offset,
    };
    Ok((StatusCode::ACCEPTED, Json(receipt)))
}
