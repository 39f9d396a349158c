//! The document of a vote.

use std::borrow::Cow;

use mongodb::bson::{self, DateTime, RawDocument, RawDocumentBuf, cstr};

use crate::{InvalidDocument, LogKey};

/// A vote as it is logged: one document, whose fields are the columns of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteDocument<'a> {
    /// The time of reception and the vote's id.
    pub key: LogKey,
    /// The vote's id again, if the client chose it: a unique index rejects a second vote with the same id.
    pub chosen_id: Option<bson::Uuid>,
    /// Band.
    pub name: Cow<'a, str>,
    /// Album.
    pub album: Cow<'a, str>,
    /// Year, canonical text.
    pub year: Cow<'a, str>,
    /// Rank, canonical text.
    pub rank: Cow<'a, str>,
    /// The route that received the vote.
    pub route: Cow<'a, str>,
    /// When the route received it.
    pub received_at: DateTime,
    /// When the consumer tried to log the vote for the first time.
    pub consumed_at: DateTime,
    /// The Kafka partition.
    pub partition: i32,
    /// The offset in that partition.
    pub offset: i64,
}

/// Initial capacity of a document's buffer: a usual vote fits.
const USUAL_BYTES: usize = 384;

/// An empty document with a buffer that need not grow for a usual vote.
fn empty_document() -> RawDocumentBuf {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.extend(RawDocumentBuf::new().into_bytes());
    RawDocumentBuf::from_bytes(bytes).unwrap_or_default()
}

impl<'a> VoteDocument<'a> {
    /// Reads a document. Takes each field, without a deserializer between, which takes long to compile.
    pub fn from_raw(raw: &'a RawDocument) -> Result<Self, InvalidDocument> {
        let chosen_id = match raw.get("chosen_id")? {
            Some(_) => Some(raw.get_binary("chosen_id")?.to_binary().to_uuid()?),
            None => None,
        };
        Self::with_key(LogKey::of(raw)?, chosen_id, raw)
    }

    /// Reads a document whose key and id are known.
    pub fn with_key(
        key: LogKey,
        chosen_id: Option<bson::Uuid>,
        raw: &'a RawDocument,
    ) -> Result<Self, InvalidDocument> {
        Ok(Self {
            key,
            chosen_id,
            name: raw.get_str("name")?.into(),
            album: raw.get_str("album")?.into(),
            year: raw.get_str("year")?.into(),
            rank: raw.get_str("rank")?.into(),
            route: raw.get_str("route")?.into(),
            received_at: raw.get_datetime("received_at")?,
            consumed_at: raw.get_datetime("consumed_at")?,
            partition: raw.get_i32("partition")?,
            offset: raw.get_i64("offset")?,
        })
    }

    /// The same document, which owns its texts.
    pub fn into_owned(self) -> VoteDocument<'static> {
        fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        VoteDocument {
            name: owned(self.name),
            album: owned(self.album),
            year: owned(self.year),
            rank: owned(self.rank),
            route: owned(self.route),
            ..self
        }
    }

    /// The document as BSON. Appends each field, without a serializer between: this runs for every vote.
    pub fn to_raw(&self) -> RawDocumentBuf {
        let mut raw = empty_document();
        raw.append(cstr!("_id"), self.key.to_raw());
        if let Some(chosen_id) = self.chosen_id {
            raw.append(cstr!("chosen_id"), bson::Binary::from(chosen_id));
        }
        raw.append(cstr!("name"), &*self.name);
        raw.append(cstr!("album"), &*self.album);
        raw.append(cstr!("year"), &*self.year);
        raw.append(cstr!("rank"), &*self.rank);
        raw.append(cstr!("route"), &*self.route);
        raw.append(cstr!("received_at"), self.received_at);
        raw.append(cstr!("consumed_at"), self.consumed_at);
        raw.append(cstr!("partition"), self.partition);
        raw.append(cstr!("offset"), self.offset);
        raw
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn document_is_read_as_it_was_written() {
        let received_at = DateTime::from_millis(1_700_000_000_007);
        let id = Uuid::from_u128(7);
        for chosen_id in [None, Some(bson::Uuid::from_bytes(id.into_bytes()))] {
            let document = VoteDocument {
                key: LogKey::new(received_at, id),
                chosen_id,
                name: "Alux Nahual".into(),
                album: "Centroamérica".into(),
                year: "1984".into(),
                rank: "9.5".into(),
                route: "grpc".into(),
                received_at,
                consumed_at: DateTime::from_millis(1_700_000_001_000),
                partition: 3,
                offset: 17,
            };
            let raw = document.to_raw();
            assert_eq!(raw.get("chosen_id").unwrap().is_some(), chosen_id.is_some());
            let read = VoteDocument::from_raw(&raw).unwrap();
            assert_eq!(read, document);
        }
    }
}
