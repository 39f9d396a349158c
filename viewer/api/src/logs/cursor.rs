//! The end of a page or of a search: a position in the index `{received_at: -1, _id: -1}`, as text that clients send back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mongodb::bson::{DateTime, Document, RawDocument, doc};

/// Length of the time before the id, in bytes.
const TIME_BYTES: usize = 8;
/// Longest id, in bytes: twice the length of a UUID as text.
const MAX_ID_BYTES: usize = 72;

/// A position in the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    received_at: DateTime,
    vote_id: String,
}

impl Cursor {
    /// The position of a document. None if it is not a vote.
    pub(super) fn of(document: &RawDocument) -> Option<Self> {
        Some(Self {
            received_at: document.get_datetime("received_at").ok()?,
            vote_id: document.get_str("_id").ok()?.to_owned(),
        })
    }

    /// The time of the position.
    pub(super) fn received_at(&self) -> DateTime {
        self.received_at
    }

    /// The cursor as text for clients.
    pub(super) fn encode(&self) -> String {
        let mut bytes = self.received_at.timestamp_millis().to_be_bytes().to_vec();
        bytes.extend(self.vote_id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes the text of [`Self::encode`]. None if it is anything else.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (time, id) = bytes.split_first_chunk::<TIME_BYTES>()?;
        let vote_id = std::str::from_utf8(id).ok()?;
        let is_id = (1..=MAX_ID_BYTES).contains(&vote_id.len()) && !vote_id.contains(char::is_control);
        is_id.then(|| Self {
            received_at: DateTime::from_millis(i64::from_be_bytes(*time)),
            vote_id: vote_id.to_owned(),
        })
    }

    /// Selects the votes after this position. The first condition uses the index; the second one is exact.
    pub(super) fn older(&self) -> Document {
        doc! {
            "received_at": { "$lte": self.received_at },
            "$or": [
                { "received_at": { "$lt": self.received_at } },
                { "_id": { "$lt": &self.vote_id } },
            ],
        }
    }

    /// Selects the vote at this position and the votes before it.
    pub(super) fn and_newer(&self) -> Document {
        doc! {
            "received_at": { "$gte": self.received_at },
            "$or": [
                { "received_at": { "$gt": self.received_at } },
                { "_id": { "$gte": &self.vote_id } },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_reverses_encode() {
        let cursor = Cursor {
            received_at: DateTime::from_millis(1_700_000_000_007),
            vote_id: "018f4c9e-7f2a-7000-8000-000000000001".to_owned(),
        };
        let text = cursor.encode();
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(Cursor::decode(&text), Some(cursor));
    }

    #[test]
    fn other_text_is_not_a_cursor() {
        let long = URL_SAFE_NO_PAD.encode([b'a'; TIME_BYTES + MAX_ID_BYTES + 1]);
        let control = URL_SAFE_NO_PAD.encode(b"12345678\n");
        let invalid = URL_SAFE_NO_PAD.encode(b"12345678\xff");
        for text in [
            "",
            "x",
            "!!!!",
            "AAAAAAAAAAA",
            "{\"$gt\":\"\"}",
            &long,
            &control,
            &invalid,
        ] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
