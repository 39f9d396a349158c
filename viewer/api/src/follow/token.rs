//! Positions in MongoDB's oplog.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use mongodb::bson::{RawDocument, rawdoc};
use mongodb::change_stream::event::ResumeToken;

/// Longest token, in hex digits: several times the length of MongoDB's tokens for this collection.
const MAX_DIGITS: usize = 1_024;

/// The first digits of a token: the type of the value that follows, a time.
const TIME_TYPE: &str = "82";
/// The number of digits after the type: seconds since the Unix epoch.
const SECONDS_DIGITS: usize = 8;
/// How far MongoDB's clock may be ahead of this one.
const MAX_SKEW_S: u64 = 3_600;

/// A position in the oplog of one replica set.
///
/// MongoDB encodes the time of a change, and its order among changes of the same time, so that the bytes sort like the
/// changes. MongoDB's router merges the streams of shards by this order. Upper-case hex digits preserve it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token(String);

impl Token {
    /// Converts MongoDB's token. None if its format is unknown.
    pub(super) fn from_resume(token: &ResumeToken) -> Option<Self> {
        let document = mongodb::bson::serialize_to_document(token).ok()?;
        Self::parse(document.get_str("_data").ok()?).ok()
    }

    /// The position of a change. None if its format is unknown.
    pub(super) fn of_change(change: &RawDocument) -> Option<Self> {
        let token = change.get_document("_id").ok()?;
        Self::parse(token.get_str("_data").ok()?).ok()
    }

    /// Parses a token that a client sends back.
    pub(super) fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let is_token = (1..=MAX_DIGITS).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
        if is_token {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be the id of an event of this stream".into())
        }
    }

    /// The token as text for clients.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no change can have this position yet. A change stream that starts there would return nothing.
    pub(super) fn is_in_the_future(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.seconds()
            .is_none_or(|seconds| seconds > now.as_secs() + MAX_SKEW_S)
    }

    fn seconds(&self) -> Option<u64> {
        let digits = self.0.strip_prefix(TIME_TYPE)?.get(..SECONDS_DIGITS)?;
        u64::from_str_radix(digits, 16).ok()
    }

    /// The token in MongoDB's format.
    pub(super) fn to_resume(&self) -> Result<ResumeToken, mongodb::bson::error::Error> {
        mongodb::bson::deserialize_from_slice(rawdoc! { "_data": self.0.as_str() }.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "8265F1A2B3000000012B0229296E04";

    #[test]
    fn token_round_trips_through_a_client_and_mongodb() {
        let token = Token::parse(TEXT).unwrap();
        assert_eq!(
            Token::from_resume(&token.to_resume().unwrap()).as_ref(),
            Some(&token)
        );
        assert_eq!(token.as_str(), TEXT);
    }

    #[test]
    fn later_tokens_are_greater() {
        let later = Token::parse("8265F1A2B3000000022B0229296E04").unwrap();
        assert!(Token::parse(TEXT).unwrap() < later);
    }

    #[test]
    fn token_in_the_future_is_detected() {
        assert!(!Token::parse(TEXT).unwrap().is_in_the_future());
        for text in ["82FFFFFFFF000000012B0229296E04", "82FF"] {
            assert!(Token::parse(text).unwrap().is_in_the_future(), "{text}");
        }
    }

    #[test]
    fn other_text_is_not_a_token() {
        for text in ["", "xyz", "8265f1", "{\"$gt\":1}", &"A".repeat(MAX_DIGITS + 1)] {
            assert!(Token::parse(text).is_err(), "{text}");
        }
    }
}
