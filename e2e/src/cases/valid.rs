//! Votes that every door accepts, and what they are in Kafka.

use serde_json::{Value, json};

use super::{Case, ID, accepted, accepted_plain, good, json_only, object, with};

#[allow(clippy::too_many_lines, reason = "a list")]
pub(super) fn valid() -> Vec<Case> {
    let long_text = "é".repeat(200);
    vec![
        accepted("plain", &good(), ["Alux Nahual", "Centroamérica", "1984", "9.5"]),
        accepted(
            "numbers for strings",
            &with("year", 1984).and("rank", 9.5),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "whole number for rank",
            &with("rank", 10),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "decimal number that is whole",
            &with("rank", 10.0),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "trailing zeros in rank",
            &with("rank", "9.50"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "hundredths in rank",
            &with("rank", "9.05"),
            ["Alux Nahual", "Centroamérica", "1984", "9.05"],
        ),
        accepted(
            "lowest rank",
            &with("rank", "0"),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "highest rank",
            &with("rank", "100.00"),
            ["Alux Nahual", "Centroamérica", "1984", "100"],
        ),
        accepted(
            "earliest year",
            &with("year", "1900"),
            ["Alux Nahual", "Centroamérica", "1900", "9.5"],
        ),
        accepted(
            "latest year",
            &with("year", "2100"),
            ["Alux Nahual", "Centroamérica", "2100", "9.5"],
        ),
        accepted(
            "blanks around every field",
            &object(json!({
                "name": "  Alux Nahual\t", "album": "\n Centroamérica ", "year": " 1984 ", "rank": " 9.5 "
            })),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "no-break space around the name",
            &with("name", "\u{a0}Alux Nahual\u{a0}"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "one character",
            &with("name", "X"),
            ["X", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "200 characters in 400 bytes",
            &with("name", long_text.as_str()),
            [&long_text, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "200 characters and blanks around",
            &with("album", format!("  {long_text}  ")),
            ["Alux Nahual", &long_text, "1984", "9.5"],
        ),
        accepted(
            "emoji",
            &with("name", "🎸 Bohemia 🇬🇹"),
            ["🎸 Bohemia 🇬🇹", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "right-to-left and combining marks",
            &with("album", "مرحبا e\u{301}"),
            ["Alux Nahual", "مرحبا e\u{301}", "1984", "9.5"],
        ),
        accepted(
            "quotes and backslashes",
            &with("name", r#"La "Tona" \ S.A."#),
            [r#"La "Tona" \ S.A."#, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "hyphen as in the album key",
            &with("name", "A - B"),
            ["A - B", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "empty vote_id is none",
            &with("vote_id", ""),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id",
            &with("vote_id", ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id again",
            &with("vote_id", ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id in capitals, without hyphens",
            &with("vote_id", ID.replace('-', "").to_uppercase()),
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
