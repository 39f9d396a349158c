//! The event that a valid vote becomes: the value of a Kafka record.

use prost::Message;
use uuid::Uuid;

use crate::{Draft, FieldError, Route, Valid, Vote};

/// A vote that a route has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteEvent {
    /// The vote's identity; the key of its Kafka record.
    pub vote_id: Uuid,
    /// Whether the client chose the id: only then can it come twice.
    pub client_id: bool,
    /// The vote in canonical form.
    pub vote: Vote,
    /// The route that took it.
    pub route: Route,
    /// When the route received it: microseconds since the Unix epoch.
    pub received_at_us: i64,
}

/// Why a record is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The bytes are no `votes.v1.VoteEvent`.
    #[error("not a VoteEvent: {0}")]
    Malformed(String),
    /// The route is missing or unknown to this version.
    #[error("unknown route {0}")]
    UnknownRoute(i32),
    /// There is no vote id.
    #[error("vote_id is missing")]
    MissingId,
    /// A field breaks the rules that every route checks.
    #[error("{field} {message}")]
    Invalid {
        /// The first field that is wrong.
        field: &'static str,
        /// The reason.
        message: &'static str,
    },
}

impl From<Vec<FieldError>> for EventError {
    fn from(errors: Vec<FieldError>) -> Self {
        match errors.first() {
            Some(error) => Self::Invalid {
                field: error.field,
                message: error.message,
            },
            None => Self::Malformed("no reason given".to_owned()),
        }
    }
}

impl VoteEvent {
    /// The bytes of `votes.v1.VoteEvent`.
    pub fn encode(self) -> Vec<u8> {
        proto::votes::VoteEvent {
            name: self.vote.name.into_string(),
            album: self.vote.album.into_string(),
            year: self.vote.year.to_string(),
            rank: self.vote.rank.to_string(),
            vote_id: self.vote_id.to_string(),
            route: self.route.to_proto().into(),
            received_at_us: self.received_at_us,
            client_id: self.client_id,
        }
        .encode_to_vec()
    }

    /// Reads an event back and holds it to the same rules as a client's vote.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let message = proto::votes::VoteEvent::decode(bytes)
            .map_err(|error| EventError::Malformed(error.to_string()))?;
        let route = proto::votes::Route::try_from(message.route)
            .ok()
            .and_then(Route::from_proto)
            .ok_or(EventError::UnknownRoute(message.route))?;
        let draft = Draft {
            name: message.name.into(),
            album: message.album.into(),
            year: message.year.into(),
            rank: message.rank.into(),
            vote_id: message.vote_id.into(),
        };
        let Valid { vote, client_id } = draft.validate()?;
        let vote_id = client_id.ok_or(EventError::MissingId)?;
        Ok(Self {
            vote_id,
            client_id: message.client_id,
            vote,
            route,
            received_at_us: message.received_at_us,
        })
    }
}
