//! The stream as a request.

use std::convert::Infallible;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{AppendHeaders, IntoResponse};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName};
use tokio_util::sync::CancellationToken;

use super::follower::{Follower, Wanted};
use super::token::Token;
use super::{Hub, Places};
use crate::guard::Client;
use crate::logs::{parse_band, parse_route};
use crate::problem::{FieldError, Problem};
use crate::query::{FromParameters, Parameters, Valid};

const LAST_EVENT_ID: &str = "last-event-id";
/// Proxies such as nginx collect an answer before they pass it on, unless they are told not to.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What the stream needs.
#[derive(Clone, Debug)]
pub(crate) struct StreamState {
    /// The change stream.
    pub hub: Hub,
    /// Room for followers.
    pub places: Places,
    /// Ends all streams.
    pub shutdown: CancellationToken,
}

impl FromParameters for Wanted {
    fn take(parameters: &mut Parameters) -> Self {
        Self {
            route: parameters.take("route", parse_route),
            band: parameters.take("band", parse_band),
        }
    }
}

pub(crate) async fn stream(
    State(state): State<StreamState>,
    Extension(client): Extension<Client>,
    Valid(wanted): Valid<Wanted>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let token = last_event(&headers)?;
    let place = state.places.take(client)?;
    let follower = Follower::new(state.hub, wanted, token, place);
    let events = events(follower).take_until(state.shutdown.cancelled_owned());
    Ok((AppendHeaders([NO_BUFFERING]), Sse::new(events)))
}

fn events(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await;
        Some((Ok(event), follower))
    })
}

/// Where a browser that comes back was.
fn last_event(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
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
