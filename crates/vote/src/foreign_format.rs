//! Recognises the format of a body that is not the expected JSON or protobuf, so that the error can name it and say what
//! to change. Nothing here runs for a readable vote.

use prost::Message;
use proto::votes;
use serde::de::IgnoredAny;

use crate::Malformed;

/// UTF-8's byte order mark. PowerShell and Excel write it. RFC 8259 allows a reader to ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

const EMPTY: &str = "the body is empty";
const GZIP: &str = "the body is gzip; declare it with Content-Encoding: gzip";
const MARKUP: &str = "the body is XML or HTML";
const PROTOBUF: &str = "the body is protobuf; send it with Content-Type: application/x-protobuf";
const FORM: &str = "the body is a form (name=value), not JSON";
const JSON: &str = "the message is JSON text, not protobuf; send it with Content-Type: application/json";

/// The JSON text without UTF-8's byte order mark.
pub(crate) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// The reason if the whole body is in a format in which a search for line breaks makes no sense.
pub(crate) fn binary_format(bytes: &[u8]) -> Option<Malformed> {
    if bytes.starts_with(GZIP_MAGIC) {
        return Some(Malformed(GZIP.to_owned()));
    }
    wide_encoding(bytes).map(|encoding| Malformed(format!("the body is {encoding} text; encode it as UTF-8")))
}

/// The reason why `text` is not JSON. `error` is the parser's own reason, and `expected` says what JSON the caller expects.
pub(crate) fn explain_json(text: &[u8], error: &serde_json::Error, expected: &str) -> Malformed {
    if let Some(reason) = binary_format(text) {
        return reason;
    }
    let start = text.trim_ascii_start();
    let reason = match start.first() {
        None => Some(EMPTY),
        Some(b'<') => Some(MARKUP),
        Some(b'{' | b'[' | b'"') => None,
        Some(_) if votes::Vote::decode(text).is_ok() => Some(PROTOBUF),
        Some(_) if is_form(start) => Some(FORM),
        Some(_) => None,
    };
    if let Some(reason) = reason {
        return Malformed(format!("{reason}; {expected}"));
    }
    if let Err(utf8) = std::str::from_utf8(text) {
        return Malformed(format!(
            "byte {} of the body is not UTF-8; encode the text as UTF-8, not as Latin-1 or Windows-1252",
            utf8.valid_up_to()
        ));
    }
    if error.is_data() {
        return Malformed(error.to_string());
    }
    if error.is_eof() {
        return Malformed(format!("the JSON text is not complete: {error}"));
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    if let Some(Ok(_)) = values.next() {
        return Malformed(format!("text follows after the JSON value: {error}; {expected}"));
    }
    Malformed(format!("the body is not JSON: {error}"))
}

/// The reason why `bytes` are not a protobuf message. `error` is the parser's own reason.
pub(crate) fn explain_protobuf(bytes: &[u8], error: &prost::DecodeError) -> Malformed {
    let start = without_byte_order_mark(bytes).trim_ascii_start();
    if bytes.starts_with(GZIP_MAGIC) {
        Malformed(GZIP.to_owned())
    } else if let Some(b'{' | b'[') = start.first() {
        Malformed(JSON.to_owned())
    } else {
        Malformed(error.to_string())
    }
}

/// The name of an encoding with more than one byte for each character, with or without a byte order mark. The first two
/// characters of a JSON text are ASCII, so the zero bytes show the encoding.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, 0, 0, character, ..] | [character, 0, 0, 0, ..] if *character != 0 => Some("UTF-32"),
        [0, character, ..] | [character, 0, ..] if is_json_start(*character) => Some("UTF-16"),
        _ => None,
    }
}

fn is_json_start(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'{' | b'[' | b'"')
}

/// Whether the text starts with a name and an equals sign.
fn is_form(text: &[u8]) -> bool {
    let name_length = text
        .iter()
        .take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'+' | b'*')
        })
        .count();
    name_length > 0 && text.get(name_length) == Some(&b'=')
}

#[cfg(test)]
mod tests {
    use crate::{Draft, drafts_from_json_array, drafts_from_ndjson};

    const VOTE: &str = r#"{"name":"Alux Nahual","album":"Centroamérica","year":"1984","rank":"9.5"}"#;

    fn reason(body: &[u8]) -> String {
        Draft::from_json(body).unwrap_err().0
    }

    fn encode_wide(text: &str, bytes: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn byte_order_mark_of_utf8_is_ignored() {
        let plain = Draft::from_json(VOTE.as_bytes()).unwrap();
        let marked = format!("\u{feff}{VOTE}");
        assert_eq!(Draft::from_json(marked.as_bytes()), Ok(plain.clone()));

        let array = format!("\u{feff}[{VOTE}]");
        assert_eq!(
            drafts_from_json_array(array.as_bytes(), 9),
            Ok(vec![Ok(plain.clone())])
        );

        // Joined files have a mark in the middle.
        let lines = format!("\u{feff}{VOTE}\r\n\u{feff}{VOTE}\n\u{feff}\r\n");
        assert_eq!(
            drafts_from_ndjson(lines.as_bytes(), 9),
            Ok(vec![Ok(plain.clone()), Ok(plain)])
        );
        assert!(reason("\u{feff}".as_bytes()).contains("empty"));
        assert!(reason(format!("\u{feff}\u{feff}{VOTE}").as_bytes()).contains("not JSON"));
    }

    #[test]
    fn utf16_and_utf32_are_named_with_and_without_a_mark() {
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}{VOTE}");
            let documents = [
                ("UTF-16", encode_wide(&text, |unit| unit.to_le_bytes().to_vec())),
                ("UTF-16", encode_wide(&text, |unit| unit.to_be_bytes().to_vec())),
                (
                    "UTF-32",
                    encode_wide(&text, |unit| u32::from(unit).to_le_bytes().to_vec()),
                ),
                (
                    "UTF-32",
                    encode_wide(&text, |unit| u32::from(unit).to_be_bytes().to_vec()),
                ),
            ];
            for (encoding, document) in documents {
                let expected = format!("the body is {encoding} text; encode it as UTF-8");
                assert_eq!(reason(&document), expected);
                assert_eq!(drafts_from_json_array(&document, 9).unwrap_err().0, expected);
                assert_eq!(drafts_from_ndjson(&document, 9).unwrap_err().0, expected);
            }
        }
    }

    #[test]
    fn other_formats_are_named() {
        let protobuf = [b"\x0a\x04Alux\x12\x01a".as_slice(), b"\x1a\x041984\x22\x019"].concat();
        for (body, expected) in [
            (b"".as_slice(), "the body is empty; a vote is a JSON object"),
            (b" \r\n\t", "the body is empty"),
            (b"name=Alux+Nahual&year=1984", "the body is a form (name=value)"),
            (b"<vote><name>Alux</name></vote>", "the body is XML or HTML"),
            (b"\n <?xml version='1.0'?>", "the body is XML or HTML"),
            (
                &protobuf,
                "the body is protobuf; send it with Content-Type: application/x-protobuf",
            ),
            (b"\x1f\x8b\x08\x00\x00", "declare it with Content-Encoding: gzip"),
            (
                b"{\"name\":\"Centroam\xe9rica\"}",
                "byte 17 of the body is not UTF-8",
            ),
            (b"{\"name\":\"Alux\"} x", "text follows after the JSON value"),
            (
                b"{\"name\":\"Alux\"}\n{\"name\":\"Alux\"}",
                "text follows after the JSON value",
            ),
            (b"{\"name\":\"Alux\"", "the JSON text is not complete"),
            (
                b"{'name':'Alux'}",
                "the body is not JSON: key must be a string at line 1 column 2",
            ),
            (
                b"{\"rank\":NaN}",
                "the body is not JSON: expected value at line 1 column 9",
            ),
            (b"name,album,year,rank", "the body is not JSON: expected"),
            (b"[]", "a vote is a JSON object with name, album, year and rank"),
            (b"{\"name\":1,\"name\":2}", "duplicate field `name`"),
        ] {
            let reason = reason(body);
            assert!(
                reason.contains(expected),
                "{}: {reason}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn batch_of_another_form_is_named() {
        for (body, expected) in [
            (VOTE, "a batch is a JSON array of votes, or with"),
            ("\"Alux\"", "a batch is a JSON array of votes, or with"),
            ("[{\"name\":1,\"name\":2}]", "duplicate field `name`"),
            ("", "the body is empty; a batch is a JSON array of votes"),
            ("[{}] x", "text follows after the JSON value"),
            ("[{}", "the JSON text is not complete"),
            ("name=Alux", "the body is a form"),
        ] {
            let reason = drafts_from_json_array(body.as_bytes(), 9).unwrap_err().0;
            assert!(reason.contains(expected), "{body}: {reason}");
        }
        let lines = format!("{VOTE}\n{VOTE}");
        let reason = drafts_from_json_array(lines.as_bytes(), 9).unwrap_err().0;
        assert!(reason.contains("application/x-ndjson"), "{reason}");
    }

    #[test]
    fn json_in_place_of_protobuf_is_named() {
        for body in [VOTE.to_owned(), format!("\u{feff}\n{VOTE}"), format!("[{VOTE}]")] {
            let reason = Draft::from_protobuf(body.as_bytes()).unwrap_err().0;
            assert!(reason.contains("JSON text, not protobuf"), "{body}: {reason}");
            let reason = Draft::batch_from_protobuf(body.as_bytes(), 9).unwrap_err().0;
            assert!(reason.contains("JSON text, not protobuf"), "{body}: {reason}");
        }
        let reason = Draft::from_protobuf(b"\x1f\x8b\x08\x00").unwrap_err().0;
        assert!(reason.contains("gzip"), "{reason}");
    }
}
