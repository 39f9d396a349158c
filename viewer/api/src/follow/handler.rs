//! The HTTP handler of the stream.

use std::convert::Infallible;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{AppendHeaders, IntoResponse};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName};
use tokio_util::sync::CancellationToken;

use super::follower::{Follower, StreamFilter};
use super::hub::Hub;
use super::stream_slots::StreamSlots;
use super::token::Token;
use crate::client::Client;
use crate::logs::{BandFilter, parse_route};
use crate::problem::{FieldError, Problem};
use crate::query::{FromParameters, Parameters, Valid};

const LAST_EVENT_ID: &str = "last-event-id";
/// Proxies such as nginx buffer responses without this header.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// The state of the handler.
#[derive(Clone, Debug)]
pub(crate) struct StreamState {
    /// The shared change stream.
    pub hub: Hub,
    /// The limits on open streams.
    pub slots: StreamSlots,
    /// Ends all streams.
    pub shutdown: CancellationToken,
}

impl FromParameters for StreamFilter {
    fn take(parameters: &mut Parameters) -> Self {
        Self {
            route: parameters.take("route", parse_route),
            band: parameters.take("band", BandFilter::parse),
        }
    }
}

pub(crate) async fn stream(
    State(state): State<StreamState>,
    Extension(client): Extension<Client>,
    Valid(filter): Valid<StreamFilter>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let token = last_event_id(&headers)?;
    let slot = state.slots.acquire(client)?;
    let follower = Follower::new(state.hub, filter, token, slot);
    let events = events(follower).take_until(state.shutdown.cancelled_owned());
    Ok((AppendHeaders([NO_BUFFERING]), Sse::new(events)))
}

fn events(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await;
        Some((Ok(event), follower))
    })
}

/// The position that a browser sends when it reconnects.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match Token::parse(value.to_str().unwrap_or_default()) {
        Ok(token) => Ok(Some(token)),
        Err(message) => Err(Problem::Parameters(vec![FieldError {
            field: LAST_EVENT_ID.to_owned(),
            message,
        }])),
    }
}
