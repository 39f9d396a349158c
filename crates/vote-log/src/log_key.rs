//! The key of a document: when the vote was received, then the vote's id.

use std::fmt;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, RawBinaryRef, RawDocument};
use uuid::Uuid;

use crate::InvalidDocument;

/// Bytes of the time: milliseconds since the Unix epoch, big-endian, as in a UUID of version 7.
const TIME_BYTES: usize = 6;
const ID_BYTES: usize = 16;
const KEY_BYTES: usize = TIME_BYTES + ID_BYTES;
/// The latest time that fits, in the year 10889.
const MAX_MILLIS: i64 = (1 << (8 * TIME_BYTES)) - 1;

/// The key of a document in the log. Keys sort by time of reception, then by vote id, and MongoDB sorts their bytes the same
/// way: all have the same length.
///
/// A record of Kafka always gives the same key, so a record that is logged again has no effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey([u8; KEY_BYTES]);

impl LogKey {
    /// The key of a vote. A time outside of the years 1970 to 10889 becomes the nearest one that fits.
    pub fn new(received_at: DateTime, vote_id: Uuid) -> Self {
        let millis = received_at.timestamp_millis().clamp(0, MAX_MILLIS);
        let [_, _, time @ ..] = millis.to_be_bytes();
        let mut key = [0; KEY_BYTES];
        let (key_time, key_id) = key.split_at_mut(TIME_BYTES);
        key_time.copy_from_slice(&time);
        key_id.copy_from_slice(vote_id.as_bytes());
        Self(key)
    }

    /// The first possible key of a millisecond.
    pub fn first_of(time: DateTime) -> Self {
        Self::new(time, Uuid::nil())
    }

    /// The last possible key of a millisecond.
    pub fn last_of(time: DateTime) -> Self {
        Self::new(time, Uuid::max())
    }

    /// The key in these bytes; `None` if it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key of a document.
    pub fn of(document: &RawDocument) -> Result<Self, InvalidDocument> {
        Self::from_bytes(document.get_binary("_id")?.bytes).ok_or(InvalidDocument::KeyLength)
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key as a BSON value.
    pub fn to_raw(&self) -> RawBinaryRef<'_> {
        RawBinaryRef {
            subtype: BinarySubtype::Generic,
            bytes: &self.0,
        }
    }

    /// When the vote was received, in whole milliseconds.
    pub fn received_at(&self) -> DateTime {
        let mut millis = [0; 8];
        for (byte, key_byte) in millis.iter_mut().skip(8 - TIME_BYTES).zip(self.0) {
            *byte = key_byte;
        }
        DateTime::from_millis(i64::from_be_bytes(millis))
    }

    /// The vote's id.
    pub fn vote_id(&self) -> Uuid {
        let mut id = [0; ID_BYTES];
        for (byte, key_byte) in id.iter_mut().zip(self.0.iter().skip(TIME_BYTES)) {
            *byte = *key_byte;
        }
        Uuid::from_bytes(id)
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "LogKey({} ms, {})",
            self.received_at().timestamp_millis(),
            self.vote_id()
        )
    }
}

impl From<LogKey> for Bson {
    fn from(key: LogKey) -> Self {
        Self::Binary(key.into())
    }
}

impl From<LogKey> for Binary {
    fn from(key: LogKey) -> Self {
        Self {
            subtype: BinarySubtype::Generic,
            bytes: key.0.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{self, rawdoc};

    use super::*;

    const ID: Uuid = Uuid::from_u128(0x018f_4c9e_7f2a_7000_8000_0000_0000_0001);

    fn at(millis: i64) -> DateTime {
        DateTime::from_millis(millis)
    }

    #[test]
    fn key_has_the_time_and_the_id_of_the_vote() {
        let key = LogKey::new(at(1_700_000_000_007), ID);
        assert_eq!((key.received_at(), key.vote_id()), (at(1_700_000_000_007), ID));
        assert_eq!(LogKey::from_bytes(key.as_bytes()), Some(key));
        assert_eq!(LogKey::from_bytes(b"short"), None);
        assert_eq!(format!("{key:?}"), format!("LogKey(1700000000007 ms, {ID})"));
    }

    #[test]
    fn keys_sort_by_time_and_then_by_id() {
        let keys = [
            LogKey::first_of(at(1)),
            LogKey::new(at(1), ID),
            LogKey::last_of(at(1)),
            LogKey::first_of(at(2)),
            LogKey::new(at(256), Uuid::nil()),
            LogKey::new(at(1_700_000_000_007), Uuid::nil()),
        ];
        assert!(keys.is_sorted());
        assert!(keys.map(|key| key.as_bytes().to_vec()).is_sorted());
    }

    #[test]
    fn time_that_does_not_fit_is_the_nearest_one() {
        for (millis, expected) in [(-1, 0), (i64::MIN, 0), (i64::MAX, MAX_MILLIS)] {
            assert_eq!(LogKey::new(at(millis), ID).received_at(), at(expected));
        }
    }

    #[test]
    fn key_is_read_from_a_document() {
        let key = LogKey::new(at(7), ID);
        let mut document = rawdoc! { "_id": Binary::from(key) };
        assert_eq!(LogKey::of(&document).unwrap(), key);
        document = rawdoc! { "_id": "018f4c9e-7f2a-7000-8000-000000000001" };
        assert!(matches!(LogKey::of(&document), Err(InvalidDocument::Field(_))));
        document = rawdoc! { "_id": Binary::from(bson::Uuid::from_bytes(ID.into_bytes())) };
        assert!(matches!(LogKey::of(&document), Err(InvalidDocument::KeyLength)));
    }
}
