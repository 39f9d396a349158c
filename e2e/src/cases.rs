//! One list of votes, good and bad, for every door.

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
    let mut cases = valid();
    cases.extend(invalid());
    cases.extend(malformed());
    cases
}

fn valid() -> Vec<Case> {
    let long_text = "é".repeat(200);
    vec![
        accepted("plain", good(), ["Alux Nahual", "Centroamérica", "1984", "9.5"]),
        accepted(
            "numbers for strings",
            with("year", 1984).and("rank", 9.5),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "whole number for rank",
            with("rank", 10),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "decimal number that is whole",
            with("rank", 10.0),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "trailing zeros in rank",
            with("rank", "9.50"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "hundredths in rank",
            with("rank", "9.05"),
            ["Alux Nahual", "Centroamérica", "1984", "9.05"],
        ),
        accepted(
            "lowest rank",
            with("rank", "0"),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "highest rank",
            with("rank", "100.00"),
            ["Alux Nahual", "Centroamérica", "1984", "100"],
        ),
        accepted(
            "earliest year",
            with("year", "1900"),
            ["Alux Nahual", "Centroamérica", "1900", "9.5"],
        ),
        accepted(
            "latest year",
            with("year", "2100"),
            ["Alux Nahual", "Centroamérica", "2100", "9.5"],
        ),
        accepted(
            "blanks around every field",
            object(json!({
                "name": "  Alux Nahual\t", "album": "\n Centroamérica ", "year": " 1984 ", "rank": " 9.5 "
            })),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "no-break space around the name",
            with("name", "\u{a0}Alux Nahual\u{a0}"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "one character",
            with("name", "X"),
            ["X", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "200 characters in 400 bytes",
            with("name", long_text.as_str()),
            [&long_text, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "200 characters and blanks around",
            with("album", format!("  {long_text}  ")),
            ["Alux Nahual", &long_text, "1984", "9.5"],
        ),
        accepted(
            "emoji",
            with("name", "🎸 Bohemia 🇬🇹"),
            ["🎸 Bohemia 🇬🇹", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "right-to-left and combining marks",
            with("album", "مرحبا e\u{301}"),
            ["Alux Nahual", "مرحبا e\u{301}", "1984", "9.5"],
        ),
        accepted(
            "quotes and backslashes",
            with("name", r#"La "Tona" \ S.A."#),
            [r#"La "Tona" \ S.A."#, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "hyphen as in the album key",
            with("name", "A - B"),
            ["A - B", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "empty vote_id is none",
            with("vote_id", ""),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id",
            with("vote_id", ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id again",
            with("vote_id", ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id in capitals, without hyphens",
            with("vote_id", ID.replace('-', "").to_uppercase()),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        json_only(
            "null vote_id is none",
            good().and("vote_id", Value::Null).to_json(),
            accepted_plain(),
        ),
        json_only(
            "unknown fields",
            good()
                .and("country", "GT")
                .and("tags", json!([1, {"a": [null]}]))
                .to_json(),
            accepted_plain(),
        ),
        json_only(
            "escaped text",
            br#"{"name":"Alux \u004eahual","album":"Centroam\u00e9rica","year":1984,"rank":"9.5"}"#.to_vec(),
            accepted_plain(),
        ),
        json_only(
            "number in scientific notation",
            br#"{"name":"Alux Nahual","album":"Centroam\u00e9rica","year":1.984e3,"rank":95e-1}"#.to_vec(),
            accepted_plain(),
        ),
        Case {
            content_type: "Application/JSON; charset=utf-8",
            ..json_only(
                "content type with a parameter",
                good().to_json(),
                accepted_plain(),
            )
        },
    ]
}

fn invalid() -> Vec<Case> {
    let too_long = "é".repeat(201);
    vec![
        refused(
            "no field at all",
            object(json!({})),
            &["album", "name", "rank", "year"],
        ),
        refused("no name", without("name"), &["name"]),
        refused("no album", without("album"), &["album"]),
        refused("no year", without("year"), &["year"]),
        refused("no rank", without("rank"), &["rank"]),
        refused("blank name", with("name", " \t\n"), &["name"]),
        refused(
            "201 characters in the name",
            with("name", too_long.as_str()),
            &["name"],
        ),
        refused(
            "201 characters in the album",
            with("album", too_long.as_str()),
            &["album"],
        ),
        refused("NUL in the name", with("name", "Alux\u{0}Nahual"), &["name"]),
        refused(
            "line break inside the album",
            with("album", "Centro\namérica"),
            &["album"],
        ),
        refused(
            "C1 control character",
            with("album", "Centro\u{85}américa"),
            &["album"],
        ),
        refused("year before 1900", with("year", "1899"), &["year"]),
        refused("year after 2100", with("year", 2101), &["year"]),
        refused("year in words", with("year", "mil novecientos"), &["year"]),
        refused("year with a decimal", with("year", "1984.0"), &["year"]),
        refused("year with a sign", with("year", "+1984"), &["year"]),
        refused("year of two digits", with("year", 84), &["year"]),
        refused("year in full-width digits", with("year", "１９８４"), &["year"]),
        refused("rank below 0", with("rank", -1), &["rank"]),
        refused("rank above 100", with("rank", "100.01"), &["rank"]),
        refused("rank with three decimals", with("rank", 9.123), &["rank"]),
        refused("rank with a comma", with("rank", "9,5"), &["rank"]),
        refused("rank with an exponent in text", with("rank", "1e1"), &["rank"]),
        refused(
            "rank without digits after the point",
            with("rank", "9."),
            &["rank"],
        ),
        refused("rank not a number", with("rank", "NaN"), &["rank"]),
        refused(
            "a rank too large for any integer",
            with("rank", "99999999999999999999"),
            &["rank"],
        ),
        refused("vote_id that is no UUID", with("vote_id", "42"), &["vote_id"]),
        refused(
            "everything wrong at once",
            object(json!({
                "name": "", "album": "a\u{7}", "year": "0", "rank": "x", "vote_id": "y"
            })),
            &["album", "name", "rank", "vote_id", "year"],
        ),
        json_only(
            "number for the name",
            good().and("name", 5).to_json(),
            refusal(422, &["name"]),
        ),
        json_only(
            "list for the album",
            good().and("album", json!(["a"])).to_json(),
            refusal(422, &["album"]),
        ),
        json_only(
            "boolean for the year",
            good().and("year", true).to_json(),
            refusal(422, &["year"]),
        ),
        json_only(
            "object for the rank",
            good().and("rank", json!({"value": 9})).to_json(),
            refusal(422, &["rank"]),
        ),
        json_only(
            "number for vote_id",
            good().and("vote_id", 7).to_json(),
            refusal(422, &["vote_id"]),
        ),
        json_only(
            "null for the name",
            good().and("name", Value::Null).to_json(),
            refusal(422, &["name"]),
        ),
        json_only("a field 6,000 levels deep", deep_field(), refusal(422, &["name"])),
    ]
}

fn malformed() -> Vec<Case> {
    let huge = "x".repeat(17 * 1024);
    vec![
        json_only("empty body", Vec::new(), refusal(400, &[])),
        json_only("no JSON", b"name=Alux".to_vec(), refusal(400, &[])),
        json_only(
            "cut off",
            br#"{"name":"Alux Nahual","#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "two objects",
            br#"{"name":"a"}{"name":"b"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a field twice",
            br#"{"name":"a","name":"b"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only("an array", b"[]".to_vec(), refusal(400, &[])),
        json_only("a string", br#""Alux""#.to_vec(), refusal(400, &[])),
        json_only(
            "text that is no UTF-8",
            b"{\"name\":\"\xff\xfe\"}".to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a lone surrogate",
            br#"{"name":"\ud800"}"#.to_vec(),
            refusal(400, &[]),
        ),
        json_only(
            "a number beyond all bounds",
            br#"{"rank":1e999}"#.to_vec(),
            refusal(400, &[]),
        ),
        Case {
            content_type: "text/plain",
            ..json_only("text/plain", good().to_json(), refusal(415, &[]))
        },
        Case {
            content_type: "application/x-www-form-urlencoded",
            ..json_only("a form", b"name=Alux".to_vec(), refusal(415, &[]))
        },
        Case {
            content_type: "application/x-ndjson",
            ..json_only("lines for one vote", good().to_json(), refusal(415, &[]))
        },
        Case {
            protobuf: Some(vec![0xff; 40]),
            ..json_only("noise", vec![0xff; 40], refusal(400, &[]))
        },
        Case {
            protobuf: Some(b"\x0a\x05abc".to_vec()),
            ..json_only(
                "a length beyond the end",
                b"{\"name\":\"abc".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            protobuf: Some(vec![0x08, 0x01]),
            ..json_only(
                "a number where text belongs",
                b"{1:1}".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            protobuf: Some(b"\x0a\x02\xff\xfe".to_vec()),
            ..json_only(
                "invalid UTF-8 in both",
                b"{\"name\":\"\xff\"}".to_vec(),
                refusal(400, &[]),
            )
        },
        Case {
            expected: refusal(413, &[]),
            ..refused("over 16 KiB", with("name", huge), &[])
        },
    ]
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

fn accepted(name: &'static str, vote: Object, fields: [&str; 4]) -> Case {
    case(name, &vote, Expected::Accepted(fields.map(str::to_owned)))
}

fn refused(name: &'static str, vote: Object, fields: &[&'static str]) -> Case {
    case(name, &vote, refusal(422, fields))
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
