//! Votes that every endpoint accepts, and their canonical form in Kafka.

use serde_json::{Value, json};

use super::case::{
    Case, VOTE_ID, accepted, accepted_valid_vote, json_only, valid_vote, vote_from, vote_with,
};

#[allow(clippy::too_many_lines, reason = "the length comes from the number of cases")]
pub(super) fn valid() -> Vec<Case> {
    let long_text = "é".repeat(200);
    vec![
        accepted(
            "all fields as strings",
            &valid_vote(),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "year and rank as numbers",
            &vote_with("year", 1984).set("rank", 9.5),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "rank is an integer",
            &vote_with("rank", 10),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "rank is a float without a fraction",
            &vote_with("rank", 10.0),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "trailing zeros in rank",
            &vote_with("rank", "9.50"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "hundredths in rank",
            &vote_with("rank", "9.05"),
            ["Alux Nahual", "Centroamérica", "1984", "9.05"],
        ),
        accepted(
            "lowest rank",
            &vote_with("rank", "0"),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "highest rank",
            &vote_with("rank", "100.00"),
            ["Alux Nahual", "Centroamérica", "1984", "100"],
        ),
        accepted(
            "earliest year",
            &vote_with("year", "1900"),
            ["Alux Nahual", "Centroamérica", "1900", "9.5"],
        ),
        accepted(
            "latest year",
            &vote_with("year", "2100"),
            ["Alux Nahual", "Centroamérica", "2100", "9.5"],
        ),
        accepted(
            "white space around every field",
            &vote_from(json!({
                "name": "  Alux Nahual\t", "album": "\n Centroamérica ", "year": " 1984 ", "rank": " 9.5 "
            })),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "no-break space around the name",
            &vote_with("name", "\u{a0}Alux Nahual\u{a0}"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "name of one character",
            &vote_with("name", "X"),
            ["X", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "name of 200 characters in 400 bytes",
            &vote_with("name", long_text.as_str()),
            [&long_text, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "album of 200 characters and white space around it",
            &vote_with("album", format!("  {long_text}  ")),
            ["Alux Nahual", &long_text, "1984", "9.5"],
        ),
        accepted(
            "emoji in the name",
            &vote_with("name", "🎸 Bohemia 🇬🇹"),
            ["🎸 Bohemia 🇬🇹", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "right-to-left text and combining marks in the album",
            &vote_with("album", "مرحبا e\u{301}"),
            ["Alux Nahual", "مرحبا e\u{301}", "1984", "9.5"],
        ),
        accepted(
            "quotes and backslashes in the name",
            &vote_with("name", r#"La "Tona" \ S.A."#),
            [r#"La "Tona" \ S.A."#, "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "name contains the separator of the album key",
            &vote_with("name", "A - B"),
            ["A - B", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "empty vote_id counts as absent",
            &vote_with("vote_id", ""),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id",
            &vote_with("vote_id", VOTE_ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id, sent again",
            &vote_with("vote_id", VOTE_ID),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "client's id in upper case, without hyphens",
            &vote_with("vote_id", VOTE_ID.replace('-', "").to_uppercase()),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        json_only(
            "null vote_id counts as absent",
            valid_vote().set("vote_id", Value::Null).to_json(),
            accepted_valid_vote(),
        ),
        json_only(
            "unknown fields",
            valid_vote()
                .set("country", "GT")
                .set("tags", json!([1, {"a": [null]}]))
                .to_json(),
            accepted_valid_vote(),
        ),
        json_only(
            "escaped characters",
            br#"{"name":"Alux \u004eahual","album":"Centroam\u00e9rica","year":1984,"rank":"9.5"}"#.to_vec(),
            accepted_valid_vote(),
        ),
        json_only(
            "numbers in scientific notation",
            br#"{"name":"Alux Nahual","album":"Centroam\u00e9rica","year":1.984e3,"rank":95e-1}"#.to_vec(),
            accepted_valid_vote(),
        ),
        json_only(
            "byte order mark of UTF-8",
            [b"\xef\xbb\xbf".to_vec(), valid_vote().to_json()].concat(),
            accepted_valid_vote(),
        ),
        Case {
            content_type: "Application/JSON; charset=utf-8",
            ..json_only(
                "content type with a parameter",
                valid_vote().to_json(),
                accepted_valid_vote(),
            )
        },
    ]
}
