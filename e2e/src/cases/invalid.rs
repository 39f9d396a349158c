//! Votes that break a rule: 422 and the fields by name.

use serde_json::{Value, json};

use super::{Case, deep_field, good, json_only, object, refusal, refused, with, without};

#[allow(clippy::too_many_lines, reason = "a list")]
pub(super) fn invalid() -> Vec<Case> {
    let too_long = "é".repeat(201);
    vec![
        refused(
            "no field at all",
            &object(json!({})),
            &["album", "name", "rank", "year"],
        ),
        refused("no name", &without("name"), &["name"]),
        refused("no album", &without("album"), &["album"]),
        refused("no year", &without("year"), &["year"]),
        refused("no rank", &without("rank"), &["rank"]),
        refused("blank name", &with("name", " \t\n"), &["name"]),
        refused(
            "201 characters in the name",
            &with("name", too_long.as_str()),
            &["name"],
        ),
        refused(
            "201 characters in the album",
            &with("album", too_long.as_str()),
            &["album"],
        ),
        refused("NUL in the name", &with("name", "Alux\u{0}Nahual"), &["name"]),
        refused(
            "line break inside the album",
            &with("album", "Centro\namérica"),
            &["album"],
        ),
        refused(
            "C1 control character",
            &with("album", "Centro\u{85}américa"),
            &["album"],
        ),
        refused("year before 1900", &with("year", "1899"), &["year"]),
        refused("year after 2100", &with("year", 2101), &["year"]),
        refused("year in words", &with("year", "mil novecientos"), &["year"]),
        refused("year with a decimal", &with("year", "1984.0"), &["year"]),
        refused("year with a sign", &with("year", "+1984"), &["year"]),
        refused("year of two digits", &with("year", 84), &["year"]),
        refused("year in full-width digits", &with("year", "１９８４"), &["year"]),
        refused("rank below 0", &with("rank", -1), &["rank"]),
        refused("rank above 100", &with("rank", "100.01"), &["rank"]),
        refused("rank with three decimals", &with("rank", 9.123), &["rank"]),
        refused("rank with a comma", &with("rank", "9,5"), &["rank"]),
        refused("rank with an exponent in text", &with("rank", "1e1"), &["rank"]),
        refused(
            "rank without digits after the point",
            &with("rank", "9."),
            &["rank"],
        ),
        refused("rank not a number", &with("rank", "NaN"), &["rank"]),
        refused(
            "a rank too large for any integer",
            &with("rank", "99999999999999999999"),
            &["rank"],
        ),
        refused("vote_id that is no UUID", &with("vote_id", "42"), &["vote_id"]),
        refused(
            "everything wrong at once",
            &object(json!({
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
