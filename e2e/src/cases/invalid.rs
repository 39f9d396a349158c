//! Votes that break a validation rule: status 422, and the error names the fields.

use serde_json::{Value, json};

use super::case::{
    Case, json_only, rejected, rejection, valid_vote, vote_from, vote_with, vote_with_deeply_nested_name,
    vote_without,
};

#[allow(clippy::too_many_lines, reason = "the length comes from the number of cases")]
pub(super) fn invalid() -> Vec<Case> {
    let too_long = "é".repeat(201);
    vec![
        rejected(
            "no fields",
            &vote_from(json!({})),
            &["album", "name", "rank", "year"],
        ),
        rejected("name missing", &vote_without("name"), &["name"]),
        rejected("album missing", &vote_without("album"), &["album"]),
        rejected("year missing", &vote_without("year"), &["year"]),
        rejected("rank missing", &vote_without("rank"), &["rank"]),
        rejected("name of white space only", &vote_with("name", " \t\n"), &["name"]),
        rejected(
            "201 characters in the name",
            &vote_with("name", too_long.as_str()),
            &["name"],
        ),
        rejected(
            "201 characters in the album",
            &vote_with("album", too_long.as_str()),
            &["album"],
        ),
        rejected(
            "NUL in the name",
            &vote_with("name", "Alux\u{0}Nahual"),
            &["name"],
        ),
        rejected(
            "line break inside the album",
            &vote_with("album", "Centro\namérica"),
            &["album"],
        ),
        rejected(
            "C1 control character in the album",
            &vote_with("album", "Centro\u{85}américa"),
            &["album"],
        ),
        rejected("year before 1900", &vote_with("year", "1899"), &["year"]),
        rejected("year after 2100", &vote_with("year", 2101), &["year"]),
        rejected(
            "year is not a number",
            &vote_with("year", "mil novecientos"),
            &["year"],
        ),
        rejected("year with a decimal", &vote_with("year", "1984.5"), &["year"]),
        rejected("year with a sign", &vote_with("year", "+1984"), &["year"]),
        rejected("year of two digits", &vote_with("year", 84), &["year"]),
        rejected(
            "year in full-width digits",
            &vote_with("year", "１９８４"),
            &["year"],
        ),
        rejected("rank below 0", &vote_with("rank", -1), &["rank"]),
        rejected("rank above 100", &vote_with("rank", "100.01"), &["rank"]),
        rejected("rank with three decimals", &vote_with("rank", 9.123), &["rank"]),
        rejected("rank with a comma", &vote_with("rank", "9,5"), &["rank"]),
        rejected(
            "rank with a large exponent in text",
            &vote_with("rank", "1e3"),
            &["rank"],
        ),
        rejected(
            "rank without digits after the point",
            &vote_with("rank", "9."),
            &["rank"],
        ),
        rejected("rank is NaN", &vote_with("rank", "NaN"), &["rank"]),
        rejected(
            "rank beyond 64 bits",
            &vote_with("rank", "99999999999999999999"),
            &["rank"],
        ),
        rejected(
            "vote_id that is not a UUID",
            &vote_with("vote_id", "42"),
            &["vote_id"],
        ),
        rejected(
            "name of one zero width space",
            &vote_with("name", "\u{200b}"),
            &["name"],
        ),
        rejected("name of one joiner", &vote_with("name", "\u{200d}"), &["name"]),
        rejected(
            "name of one invisible separator",
            &vote_with("name", "\u{2063}"),
            &["name"],
        ),
        rejected(
            "name of one byte order mark",
            &vote_with("name", "\u{feff}"),
            &["name"],
        ),
        rejected(
            "name of one Hangul filler",
            &vote_with("name", "\u{3164}"),
            &["name"],
        ),
        rejected(
            "name of one half-width Hangul filler",
            &vote_with("name", "\u{ffa0}"),
            &["name"],
        ),
        rejected(
            "name of one blank Braille pattern",
            &vote_with("name", "\u{2800}"),
            &["name"],
        ),
        rejected("name of one soft hyphen", &vote_with("name", "\u{ad}"), &["name"]),
        rejected(
            "name of one variation selector",
            &vote_with("name", "\u{fe0f}"),
            &["name"],
        ),
        rejected(
            "name of one combining accent",
            &vote_with("name", "\u{301}"),
            &["name"],
        ),
        rejected("name of one tag", &vote_with("name", "\u{e0041}"), &["name"]),
        rejected(
            "direction override inside the name",
            &vote_with("name", "Alux\u{202e}Nahual"),
            &["name"],
        ),
        rejected(
            "direction isolates around the album",
            &vote_with("album", "\u{2068}Leyenda\u{2069}"),
            &["album"],
        ),
        rejected(
            "zero width space inside the name",
            &vote_with("name", "Alux\u{200b}Nahual"),
            &["name"],
        ),
        rejected(
            "joiner between Latin letters",
            &vote_with("name", "Al\u{200d}ux Nahual"),
            &["name"],
        ),
        rejected(
            "soft hyphen inside the album",
            &vote_with("album", "Centro\u{ad}américa"),
            &["album"],
        ),
        rejected(
            "nil UUID",
            &vote_with("vote_id", "00000000-0000-0000-0000-000000000000"),
            &["vote_id"],
        ),
        rejected(
            "nil UUID without hyphens",
            &vote_with("vote_id", "00000000000000000000000000000000"),
            &["vote_id"],
        ),
        rejected(
            "max UUID in upper case",
            &vote_with("vote_id", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
            &["vote_id"],
        ),
        rejected("negative rank above -1", &vote_with("rank", "-0.01"), &["rank"]),
        rejected("rank with a plus sign", &vote_with("rank", "+5"), &["rank"]),
        rejected(
            "rank without digits before the point",
            &vote_with("rank", ".5"),
            &["rank"],
        ),
        rejected(
            "every field invalid",
            &vote_from(json!({
                "name": "", "album": "a\u{7}", "year": "0", "rank": "x", "vote_id": "y"
            })),
            &["album", "name", "rank", "vote_id", "year"],
        ),
        json_only(
            "name is a number",
            valid_vote().set("name", 5).to_json(),
            rejection(422, &["name"]),
        ),
        json_only(
            "album is an array",
            valid_vote().set("album", json!(["a"])).to_json(),
            rejection(422, &["album"]),
        ),
        json_only(
            "year is a boolean",
            valid_vote().set("year", true).to_json(),
            rejection(422, &["year"]),
        ),
        json_only(
            "rank is an object",
            valid_vote().set("rank", json!({"value": 9})).to_json(),
            rejection(422, &["rank"]),
        ),
        json_only(
            "vote_id is a number",
            valid_vote().set("vote_id", 7).to_json(),
            rejection(422, &["vote_id"]),
        ),
        json_only(
            "name is null",
            valid_vote().set("name", Value::Null).to_json(),
            rejection(422, &["name"]),
        ),
        json_only(
            "name nested 6,000 levels deep",
            vote_with_deeply_nested_name(),
            rejection(422, &["name"]),
        ),
    ]
}
