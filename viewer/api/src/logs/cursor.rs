//! The end of a page or of a search: a position in the log, as text that clients send back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mongodb::bson::{DateTime, RawDocument};
use vote_log::LogKey;

/// A position in the log, newest first. Older votes have smaller positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor(LogKey);

impl Cursor {
    /// The position of a document. None if it is not a vote.
    pub(super) fn of(document: &RawDocument) -> Option<Self> {
        LogKey::of(document).ok().map(Self)
    }

    /// The position of the first possible vote of a millisecond.
    pub(super) fn at_start_of(time: DateTime) -> Self {
        Self(LogKey::first_of(time))
    }

    /// The key of the vote at the position.
    pub(super) fn key(self) -> LogKey {
        self.0
    }

    /// The time of the position.
    pub(super) fn received_at(self) -> DateTime {
        self.0.received_at()
    }

    /// The cursor as text for clients.
    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_bytes())
    }

    /// Decodes the text of [`Self::encode`]. None if it is anything else.
    pub(super) fn decode(text: &str) -> Option<Self> {
        LogKey::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn decode_reverses_encode() {
        let id = Uuid::from_u128(0x018f_4c9e_7f2a_7000_8000_0000_0000_0001);
        let cursor = Cursor(LogKey::new(DateTime::from_millis(1_700_000_000_007), id));
        let text = cursor.encode();
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(Cursor::decode(&text), Some(cursor));
    }

    #[test]
    fn other_text_is_not_a_cursor() {
        let long = URL_SAFE_NO_PAD.encode([b'a'; 44]);
        // A cursor of an earlier version: the time and the id as text.
        let earlier =
            URL_SAFE_NO_PAD.encode(b"\0\0\x01\x8b\xcf\xe5h\x07018f4c9e-7f2a-7000-8000-000000000001");
        for text in ["", "x", "!!!!", "AAAAAAAAAAA", "{\"$gt\":\"\"}", &long, &earlier] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
