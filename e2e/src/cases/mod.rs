//! One list of votes, good and bad, for every door.

mod invalid;
mod malformed;
mod valid;

use prost::Message;
use proto::votes::Vote;
use serde_json::{Value, json};

/// A vote to send and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the case is about.
    pub name: &'static str,
    /// The JSON body.
    pub json: Vec<u8>,
    /// Its content type.
    pub content_type: &'static str,
    /// The protobuf message, where the case can be said in protobuf.
    pub protobuf: Option<Vec<u8>>,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A receipt, and in Kafka these fields in canonical form: name, album, year, rank.
    Accepted([String; 4]),
    /// This HTTP status, or INVALID_ARGUMENT; and these fields named.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The fields that are named as wrong, sorted.
        fields: Vec<&'static str>,
    },
}

const ID: &str = "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f";

/// All cases.
pub fn all() -> Vec<Case> {
    let mut cases = valid::valid();
    cases.extend(invalid::invalid());
    cases.extend(malformed::malformed());
    cases
}

/// A vote under construction.
#[derive(Clone, Debug)]
struct Object(serde_json::Map<String, Value>);

impl Object {
    fn and(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    fn to_json(&self) -> Vec<u8> {
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

fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => Object(map),
        _ => Object(serde_json::Map::new()),
    }
}

fn good() -> Object {
    object(json!({"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"}))
}

fn with(field: &str, value: impl Into<Value>) -> Object {
    good().and(field, value)
}

fn without(field: &str) -> Object {
    let mut object = good();
    object.0.remove(field);
    object
}

fn deep_field() -> Vec<u8> {
    // 6,000 levels keep the body below its size limit.
    let (open, close) = ("[".repeat(6_000), "]".repeat(6_000));
    format!(r#"{{"name":{open}{close},"album":"a","year":1984,"rank":1}}"#).into_bytes()
}

fn accepted(name: &'static str, vote: &Object, fields: [&str; 4]) -> Case {
    case(name, vote, Expected::Accepted(fields.map(str::to_owned)))
}

fn refused(name: &'static str, vote: &Object, fields: &[&'static str]) -> Case {
    case(name, vote, refusal(422, fields))
}

fn case(name: &'static str, vote: &Object, expected: Expected) -> Case {
    Case {
        name,
        json: vote.to_json(),
        content_type: "application/json",
        protobuf: Some(vote.to_protobuf()),
        expected,
    }
}

fn json_only(name: &'static str, json: Vec<u8>, expected: Expected) -> Case {
    Case {
        name,
        json,
        content_type: "application/json",
        protobuf: None,
        expected,
    }
}

fn accepted_plain() -> Expected {
    Expected::Accepted(["Alux Nahual", "Centroamérica", "1984", "9.5"].map(str::to_owned))
}

fn refusal(status: u16, fields: &[&'static str]) -> Expected {
    Expected::Refused {
        status,
        fields: fields.to_vec(),
    }
}
