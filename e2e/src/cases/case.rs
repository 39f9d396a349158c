//! The type of a case, and the functions that build one.

use prost::Message;
use proto::votes::Vote;
use serde_json::{Value, json};

/// A vote to send and the expected response.
#[derive(Clone, Debug)]
pub struct Case {
    /// The property that the case tests.
    pub name: &'static str,
    /// The JSON body.
    pub json: Vec<u8>,
    /// The content type of the JSON body.
    pub content_type: &'static str,
    /// The protobuf message; `None` if protobuf cannot express the case.
    pub protobuf: Option<Vec<u8>>,
    /// The expected response.
    pub expected: Expected,
}

/// The expected response to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A receipt. Kafka then holds these fields in canonical form: name, album, year, rank.
    Accepted([String; 4]),
    /// An error: this HTTP status, or INVALID_ARGUMENT from gRPC. The error names these fields.
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The invalid fields, sorted.
        fields: Vec<&'static str>,
    },
}

/// The vote id of the cases in which the client chooses the id.
pub(super) const VOTE_ID: &str = "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f";

/// The JSON fields of a vote. Fields can be missing or have any type.
#[derive(Clone, Debug)]
pub(super) struct VoteBuilder(serde_json::Map<String, Value>);

impl VoteBuilder {
    /// Sets or replaces a field.
    pub(super) fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    fn to_protobuf(&self) -> Vec<u8> {
        let text = |field: &str| match self.0.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number
                .as_f64()
                .filter(|float| float.fract() == 0.0)
                .map_or_else(|| number.to_string(), |whole| format!("{whole:.0}")),
            _ => String::new(),
        };
        let (name, album, year, rank) = (text("name"), text("album"), text("year"), text("rank"));
        Vote {
            name,
            album,
            year,
            rank,
            vote_id: text("vote_id"),
        }
        .encode_to_vec()
    }
}

pub(super) fn vote_from(value: Value) -> VoteBuilder {
    match value {
        Value::Object(map) => VoteBuilder(map),
        _ => VoteBuilder(serde_json::Map::new()),
    }
}

pub(super) fn valid_vote() -> VoteBuilder {
    vote_from(json!({"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"}))
}

pub(super) fn vote_with(field: &str, value: impl Into<Value>) -> VoteBuilder {
    valid_vote().set(field, value)
}

pub(super) fn vote_without(field: &str) -> VoteBuilder {
    let mut vote = valid_vote();
    vote.0.remove(field);
    vote
}

pub(super) fn vote_with_deeply_nested_name() -> Vec<u8> {
    // 6,000 levels keep the body below its size limit.
    let (open, close) = ("[".repeat(6_000), "]".repeat(6_000));
    format!(r#"{{"name":{open}{close},"album":"a","year":1984,"rank":1}}"#).into_bytes()
}

pub(super) fn accepted(name: &'static str, vote: &VoteBuilder, fields: [&str; 4]) -> Case {
    case(name, vote, Expected::Accepted(fields.map(str::to_owned)))
}

pub(super) fn rejected(name: &'static str, vote: &VoteBuilder, fields: &[&'static str]) -> Case {
    case(name, vote, rejection(422, fields))
}

pub(super) fn case(name: &'static str, vote: &VoteBuilder, expected: Expected) -> Case {
    Case {
        name,
        json: vote.to_json(),
        content_type: "application/json",
        protobuf: Some(vote.to_protobuf()),
        expected,
    }
}

pub(super) fn json_only(name: &'static str, json: Vec<u8>, expected: Expected) -> Case {
    Case {
        name,
        json,
        content_type: "application/json",
        protobuf: None,
        expected,
    }
}

pub(super) fn accepted_valid_vote() -> Expected {
    Expected::Accepted(["Alux Nahual", "Centroamérica", "1984", "9.5"].map(str::to_owned))
}

pub(super) fn rejection(status: u16, fields: &[&'static str]) -> Expected {
    Expected::Rejected {
        status,
        fields: fields.to_vec(),
    }
}
