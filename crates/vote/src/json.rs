//! Decodes JSON into drafts in one pass over the bytes. A value of the wrong type becomes [`Field::WrongType`], so that
//! the client receives the name of the field and not a byte offset. Only a value that is not a JSON object is
//! malformed.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::foreign_format::{binary_format, explain_json, without_byte_order_mark};
use crate::{Draft, Field, Malformed};

const TEXT_ONLY: &str = "must be a string";
const TEXT_OR_NUMBER: &str = "must be a string or a number";
const NOT_AN_OBJECT: &str = "a vote is a JSON object with name, album, year and rank";
const NOT_AN_ARRAY: &str =
    "a batch is a JSON array of votes, or with Content-Type: application/x-ndjson one vote per line";

impl Draft {
    /// Decodes one JSON object in UTF-8, with or without a byte order mark.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = without_byte_order_mark(bytes);
        serde_json::from_slice::<JsonDraft>(text)
            .map_err(|error| explain_json(text, &error, NOT_AN_OBJECT))?
            .0
    }
}

/// Decodes a JSON array of votes. An element that is not an object is malformed and does not affect the others. Bytes
/// that are not a JSON array are an error. Reads at most `limit + 1` elements, so that the caller can detect too many.
pub fn drafts_from_json_array(
    bytes: &[u8],
    limit: usize,
) -> Result<Vec<Result<Draft, Malformed>>, Malformed> {
    let text = without_byte_order_mark(bytes);
    let malformed = |error: serde_json::Error| match binary_format(text) {
        None if error.is_data() && !text.trim_ascii_start().starts_with(b"[") => {
            Malformed(NOT_AN_ARRAY.to_owned())
        }
        _ => explain_json(text, &error, NOT_AN_ARRAY),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let drafts = deserializer
        .deserialize_seq(ArrayVisitor { limit })
        .map_err(malformed)?;
    if drafts.len() <= limit {
        deserializer.end().map_err(malformed)?;
    }
    Ok(drafts)
}

/// Decodes newline-delimited JSON with one vote per line. Skips blank lines. Reads at most `limit + 1` votes. Bytes that
/// have no lines are an error: another encoding of text, or compressed data.
pub fn drafts_from_ndjson(bytes: &[u8], limit: usize) -> Result<Vec<Result<Draft, Malformed>>, Malformed> {
    if let Some(reason) = binary_format(bytes) {
        return Err(reason);
    }
    let lines = bytes.split(|&byte| byte == b'\n').map(without_byte_order_mark);
    Ok(lines
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
        .take(limit + 1)
        .map(Draft::from_json)
        .collect())
}

struct JsonDraft(Result<Draft, Malformed>);

impl<'de> Deserialize<'de> for JsonDraft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DraftVisitor).map(Self)
    }
}

struct DraftVisitor;

impl<'de> Visitor<'de> for DraftVisitor {
    type Value = Result<Draft, Malformed>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(NOT_AN_OBJECT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let [mut name, mut album, mut year, mut rank, mut vote_id] = [const { None::<Field> }; 5];
        while let Some(key) = map.next_key::<Key>()? {
            let slot = match key {
                Key::Name => &mut name,
                Key::Album => &mut album,
                Key::Year => &mut year,
                Key::Rank => &mut rank,
                Key::VoteId => &mut vote_id,
                Key::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value = map.next_value::<JsonField>()?;
            let field = value.into_field(matches!(key, Key::Year | Key::Rank));
            // With two values for one field, the client's intention is unknown.
            if slot.replace(field).is_some() {
                return Err(A::Error::custom(format_args!(
                    "duplicate field `{}`",
                    key.as_str()
                )));
            }
        }
        Ok(Ok(Draft {
            name: name.unwrap_or_default(),
            album: album.unwrap_or_default(),
            year: year.unwrap_or_default(),
            rank: rank.unwrap_or_default(),
            vote_id: vote_id.unwrap_or_default(),
        }))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(Malformed(NOT_AN_OBJECT.to_owned())))
    }
}

struct ArrayVisitor {
    limit: usize,
}

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = Vec<Result<Draft, Malformed>>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON array of votes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut drafts = Vec::new();
        while let Some(JsonDraft(draft)) = sequence.next_element()? {
            drafts.push(draft);
            if drafts.len() > self.limit {
                // Read and drop the rest; otherwise serde reports it as a syntax error.
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(drafts)
    }
}

#[derive(Clone, Copy)]
enum Key {
    Name,
    Album,
    Year,
    Rank,
    VoteId,
    Unknown,
}

impl Key {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Album => "album",
            Self::Year => "year",
            Self::Rank => "rank",
            Self::VoteId => "vote_id",
            Self::Unknown => "",
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a field name")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "name" => Key::Name,
                    "album" => Key::Album,
                    "year" => Key::Year,
                    "rank" => Key::Rank,
                    "vote_id" => Key::VoteId,
                    _ => Key::Unknown,
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

enum JsonField {
    Text(String),
    Number(String),
    Null,
    Other,
}

impl JsonField {
    fn into_field(self, may_be_number: bool) -> Field {
        match self {
            Self::Text(text) => Field::Text(text),
            Self::Number(text) if may_be_number => Field::Text(text),
            Self::Null => Field::default(),
            Self::Number(_) | Self::Other if may_be_number => Field::WrongType(TEXT_OR_NUMBER),
            Self::Number(_) | Self::Other => Field::WrongType(TEXT_ONLY),
        }
    }
}

impl<'de> Deserialize<'de> for JsonField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = JsonField;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the value of a field")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<JsonField, E> {
        Ok(JsonField::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<JsonField, E> {
        Ok(JsonField::Text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<JsonField, E> {
        Ok(JsonField::Number(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<JsonField, E> {
        Ok(JsonField::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<JsonField, E> {
        Ok(JsonField::Number(number.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<JsonField, E> {
        Ok(JsonField::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<JsonField, E> {
        Ok(JsonField::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<JsonField, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonField::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonField, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(JsonField::Other)
    }
}
