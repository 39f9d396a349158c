//! A vote as a client sent it: decoded, not yet validated.

use std::borrow::Cow;

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use uuid::Uuid;

use crate::fields::parse_chosen_id;
use crate::foreign_format::explain_protobuf;
use crate::{Album, Malformed, Name, Rank, Vote, Year};

/// The fields that a client sent. A draft can hold any values; [`Draft::validate`] checks them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The band.
    pub name: Field,
    /// The album.
    pub album: Field,
    /// The year of the album.
    pub year: Field,
    /// The rank.
    pub rank: Field,
    /// The id that the client chose; empty if it chose none.
    pub vote_id: Field,
}

/// One field of a draft. A missing field is empty text, as in protobuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Text, or the text of a number if the field may be a number.
    Text(String),
    /// A value of the wrong type; holds the message for the client.
    WrongType(&'static str),
}

/// An invalid field and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field in requests.
    pub field: &'static str,
    /// The reason; a phrase that follows the name of the field, such as `is required`.
    pub message: Cow<'static, str>,
}

/// A validated draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidVote {
    /// The vote in canonical form.
    pub vote: Vote,
    /// The id that the client chose, if it chose one.
    pub chosen_id: Option<Uuid>,
}

impl Default for Field {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Field {
    /// Whether the field is missing or empty.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn into_text(self) -> Result<String, &'static str> {
        match self {
            Self::Text(text) => Ok(text),
            Self::WrongType(reason) => Err(reason),
        }
    }
}

impl Draft {
    /// Decodes the protobuf message `votes.v1.Vote`. The message `confproto.requestId` of the course has the same
    /// encoding.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = proto::votes::Vote::decode(bytes).map_err(|error| explain_protobuf(bytes, &error))?;
        Ok(Self::from(message))
    }

    /// Decodes the protobuf message `votes.v1.CastVotesRequest`. Reads at most `limit + 1` votes, because one megabyte
    /// can hold half a million empty votes. A malformed vote does not affect the others.
    pub fn batch_from_protobuf(
        bytes: &[u8],
        limit: usize,
    ) -> Result<Vec<Result<Self, Malformed>>, Malformed> {
        const VOTES: u32 = 1;
        let malformed = |error: prost::DecodeError| explain_protobuf(bytes, &error);
        let mut rest = bytes;
        let mut drafts = Vec::new();
        while rest.has_remaining() && drafts.len() <= limit {
            let (field, wire_type) = decode_key(&mut rest).map_err(malformed)?;
            if (field, wire_type) != (VOTES, WireType::LengthDelimited) {
                skip_field(wire_type, field, &mut rest, DecodeContext::default()).map_err(malformed)?;
                continue;
            }
            let length = decode_varint(&mut rest).map_err(malformed)?;
            let split = usize::try_from(length)
                .ok()
                .and_then(|length| rest.split_at_checked(length));
            let (vote, after) =
                split.ok_or_else(|| Malformed("a vote ends beyond the message".to_owned()))?;
            drafts.push(Self::from_protobuf(vote));
            rest = after;
        }
        Ok(drafts)
    }

    /// Checks every field and reports all invalid fields together.
    pub fn validate(self) -> Result<ValidVote, Vec<FieldError>> {
        let name = self.name.into_text().map_err(Cow::from).and_then(Name::parse);
        let album = self.album.into_text().map_err(Cow::from).and_then(Album::parse);
        let year = self.year.into_text().and_then(|text| Year::parse(&text));
        let rank = self.rank.into_text().and_then(|text| Rank::parse(&text));
        let chosen_id = self.vote_id.into_text().and_then(|text| parse_chosen_id(&text));

        match (name, album, year, rank, chosen_id) {
            (Ok(name), Ok(album), Ok(year), Ok(rank), Ok(chosen_id)) => Ok(ValidVote {
                vote: Vote {
                    name,
                    album,
                    year,
                    rank,
                },
                chosen_id,
            }),
            (name, album, year, rank, chosen_id) => Err([
                ("name", name.err()),
                ("album", album.err()),
                ("year", year.err().map(Cow::from)),
                ("rank", rank.err().map(Cow::from)),
                ("vote_id", chosen_id.err().map(Cow::from)),
            ]
            .into_iter()
            .filter_map(|(field, message)| {
                Some(FieldError {
                    field,
                    message: message?,
                })
            })
            .collect()),
        }
    }
}

impl From<proto::votes::Vote> for Draft {
    fn from(message: proto::votes::Vote) -> Self {
        Self {
            name: message.name.into(),
            album: message.album.into(),
            year: message.year.into(),
            rank: message.rank.into(),
            vote_id: message.vote_id.into(),
        }
    }
}
