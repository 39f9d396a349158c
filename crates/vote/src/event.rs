//! The event of an accepted vote: the value of a Kafka record.

use prost::Message;
use uuid::Uuid;

use crate::fields::parse_vote_id;
use crate::{Album, Name, Rank, Route, Vote, Year};

/// A vote that a route has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteEvent {
    /// The identity of the vote; the key of its Kafka record.
    pub vote_id: Uuid,
    /// Whether the client chose the id. Only such an id can occur twice.
    pub id_from_client: bool,
    /// The vote in canonical form.
    pub vote: Vote,
    /// The route that accepted it.
    pub route: Route,
    /// The time at which the route received it: microseconds since the Unix epoch.
    pub received_at_us: i64,
}

/// Why a record cannot be read as an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The bytes are not a `votes.v1.VoteEvent`.
    #[error("not a VoteEvent: {0}")]
    Malformed(String),
    /// The route is missing or unknown to this version.
    #[error("unknown route {0}")]
    UnknownRoute(i32),
    /// The event has no vote id.
    #[error("vote_id is missing")]
    MissingId,
    /// A field does not have the shape that its type requires.
    #[error("{field} {message}")]
    Invalid {
        /// The first invalid field.
        field: &'static str,
        /// The reason.
        message: &'static str,
    },
}

impl VoteEvent {
    /// Serializes the event as `votes.v1.VoteEvent`.
    pub fn encode(self) -> Vec<u8> {
        proto::votes::VoteEvent {
            name: self.vote.name.into_string(),
            album: self.vote.album.into_string(),
            year: self.vote.year.to_string(),
            rank: self.vote.rank.to_string(),
            vote_id: self.vote_id.to_string(),
            route: self.route.to_proto().into(),
            received_at_us: self.received_at_us,
            id_from_client: self.id_from_client,
        }
        .encode_to_vec()
    }

    /// Reads a stored event. Checks only the shape of its fields and leaves names as they are, so that a new rule for new
    /// votes does not make stored events unreadable, and does not change what was counted.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let message = proto::votes::VoteEvent::decode(bytes)
            .map_err(|error| EventError::Malformed(error.to_string()))?;
        let route = proto::votes::Route::try_from(message.route)
            .ok()
            .and_then(Route::from_proto)
            .ok_or(EventError::UnknownRoute(message.route))?;
        let invalid = |field| move |message| EventError::Invalid { field, message };
        let vote = Vote {
            name: Name::from_stored(message.name).map_err(invalid("name"))?,
            album: Album::from_stored(message.album).map_err(invalid("album"))?,
            year: Year::parse(&message.year).map_err(invalid("year"))?,
            rank: Rank::parse(&message.rank).map_err(invalid("rank"))?,
        };
        let vote_id = parse_vote_id(&message.vote_id)
            .map_err(invalid("vote_id"))?
            .ok_or(EventError::MissingId)?;
        Ok(Self {
            vote_id,
            id_from_client: message.id_from_client,
            vote,
            route,
            received_at_us: message.received_at_us,
        })
    }
}
