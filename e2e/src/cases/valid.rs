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
            ["Alux Nahual", "مرحبا é", "1984", "9.5"],
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
            "album in decomposed form (NFD)",
            &vote_with("album", "Centroame\u{301}rica"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "no-break space in the name",
            &vote_with("name", "Alux\u{a0}Nahual"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "line separator and runs of white space in the name",
            &vote_with("name", "Alux \u{2028}\u{3000} \u{202f}Nahual"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "blank Braille pattern between words",
            &vote_with("name", "Alux\u{2800}Nahual"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "invisible characters around the name",
            &vote_with("name", "\u{feff}\u{200b}Alux Nahual\u{2060} \u{3164}\u{200d}"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "non-joiner in a Persian name",
            &vote_with("name", "می\u{200c}خواهم"),
            ["می\u{200c}خواهم", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "emoji with joiners in the album",
            &vote_with("album", "👩\u{200d}🎤 ❤\u{fe0f}"),
            ["Alux Nahual", "👩\u{200d}🎤 ❤\u{fe0f}", "1984", "9.5"],
        ),
        accepted(
            "200 characters in decomposed form",
            &vote_with("name", "e\u{301}".repeat(200)),
            [long_text.as_str(), "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "negative zero as text",
            &vote_with("rank", "-0"),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "negative zero with decimals",
            &vote_with("rank", "-0.00"),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "negative zero as a number",
            &vote_with("rank", -0.0),
            ["Alux Nahual", "Centroamérica", "1984", "0"],
        ),
        accepted(
            "rank with an exponent in text",
            &vote_with("rank", "1e1"),
            ["Alux Nahual", "Centroamérica", "1984", "10"],
        ),
        accepted(
            "rank with many trailing zeros",
            &vote_with("rank", "9.50000"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "rank with leading zeros",
            &vote_with("rank", "007"),
            ["Alux Nahual", "Centroamérica", "1984", "7"],
        ),
        accepted(
            "year in scientific notation in text",
            &vote_with("year", "1.984e3"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
        ),
        accepted(
            "year with an empty fraction in text",
            &vote_with("year", "1984.0"),
            ["Alux Nahual", "Centroamérica", "1984", "9.5"],
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
