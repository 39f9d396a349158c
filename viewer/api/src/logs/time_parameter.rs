//! The parameters `from` and `to`: times in the forms that people and programs send.

use std::borrow::Cow;

use mongodb::bson::DateTime;
use time::format_description::well_known::Iso8601;
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};

/// Which end of a range a time is: a date means the start of the day, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The parameter `from`.
    From,
    /// The parameter `to`.
    To,
}

const EXPECTED: &str = "must be a time such as 2026-01-31T18:00:00Z or 2026-01-31T18:00:00-06:00, a date such as 2026-01-31 \
                        (UTC), or the seconds or milliseconds since 1970 such as 1769882400 or 1769882400000";
/// Digits of the seconds and the milliseconds since 1970 of every time from 2001 to 2286. With another number of digits,
/// the unit would be a guess.
const SECONDS_DIGITS: usize = 10;
const MILLISECONDS_DIGITS: usize = 13;

/// Parses a time. Without an offset, it is in UTC.
pub(super) fn parse_time(text: &str, bound: Bound) -> Result<DateTime, Cow<'static, str>> {
    let text = text.trim();
    let time = parse_number(text)
        .or_else(|| parse_date(text, bound))
        .or_else(|| parse_date_and_time(text));
    time.ok_or(EXPECTED.into())
}

fn parse_number(text: &str) -> Option<DateTime> {
    let number: i64 = text.parse().ok()?;
    match text.len() {
        _ if !text.bytes().all(|byte| byte.is_ascii_digit()) => None,
        SECONDS_DIGITS => Some(DateTime::from_millis(number * 1_000)),
        MILLISECONDS_DIGITS => Some(DateTime::from_millis(number)),
        _ => None,
    }
}

fn parse_date(text: &str, bound: Bound) -> Option<DateTime> {
    let date = Date::parse(text, &Iso8601::DEFAULT).ok()?;
    let start = PrimitiveDateTime::new(date, Time::MIDNIGHT).assume_utc();
    match bound {
        Bound::From => to_bson(start),
        // Times in the log are whole milliseconds, and the range includes its end.
        Bound::To => to_bson(start.checked_add(Duration::DAY - Duration::MILLISECOND)?),
    }
}

fn parse_date_and_time(text: &str) -> Option<DateTime> {
    let text = normalise(text);
    let time = OffsetDateTime::parse(&text, &Iso8601::DEFAULT)
        .or_else(|_| PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc));
    to_bson(time.ok()?)
}

/// Replaces the spaces that a query can have instead of other characters: the plus sign of an offset arrives as a space if
/// it is not percent-encoded, and people write a space between date and time.
fn normalise(text: &str) -> String {
    let mut text = text.to_ascii_uppercase();
    if let Some(separator) = text.find(' ').filter(|index| !text[..*index].contains('T')) {
        text.replace_range(separator..=separator, "T");
    }
    text.replace(' ', "+")
}

fn to_bson(time: OffsetDateTime) -> Option<DateTime> {
    let milliseconds = time.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(milliseconds).ok().map(DateTime::from_millis)
}

#[cfg(test)]
mod tests {
    use super::super::vote::rfc3339_text;
    use super::*;

    fn parse(text: &str, bound: Bound) -> String {
        match parse_time(text, bound) {
            Ok(time) => rfc3339_text(time),
            Err(message) => message.into_owned(),
        }
    }

    #[test]
    fn common_forms_of_a_time_are_understood() {
        for text in [
            "2026-01-31T18:00:00Z",
            "2026-01-31t18:00:00z",
            "2026-01-31T18:00:00.000Z",
            "2026-01-31T12:00:00-06:00",
            "2026-01-31T20:00:00+02:00",
            // A plus sign that is not percent-encoded.
            "2026-01-31T20:00:00 02:00",
            "2026-01-31T20:00 02:00",
            "2026-01-31 20:00:00 02:00",
            "2026-01-31 18:00:00",
            "2026-01-31T18:00",
            "2026-01-31 18:00",
            "20260131T180000Z",
            " 2026-01-31T18:00:00Z ",
            "1769882400",
            "1769882400000",
        ] {
            for bound in [Bound::From, Bound::To] {
                assert_eq!(parse(text, bound), "2026-01-31T18:00:00.000Z", "{text}");
            }
        }
    }

    #[test]
    fn date_is_the_whole_day_in_utc() {
        assert_eq!(parse("2026-01-31", Bound::From), "2026-01-31T00:00:00.000Z");
        assert_eq!(parse("2026-01-31", Bound::To), "2026-01-31T23:59:59.999Z");
        assert_eq!(parse("2024-02-29", Bound::To), "2024-02-29T23:59:59.999Z");
    }

    #[test]
    fn other_text_is_rejected_with_examples() {
        for text in [
            "yesterday",
            "2026",
            "2026-01",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "2026-01-31T25:00:00Z",
            "31/01/2026",
            "01-31-2026",
            "2026-01-31T18:00:00+",
            "-1769882400",
            "+1769882400",
            "17698824",
            "1769882400000000",
            "99999999999999999999",
            "2026-01-31T18:00:00Zé",
            "é",
            "9999-12-31T23:59:59-99:00",
        ] {
            assert!(
                parse(text, Bound::From).contains("such as 2026-01-31T18:00:00Z"),
                "{text}"
            );
        }
    }
}
