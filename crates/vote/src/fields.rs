//! The fields of a vote as types that can only hold valid values. `parse` takes the text of a client and returns the
//! canonical value, or the message for the client. `from_stored` takes the text of a stored event, which an earlier
//! version may have accepted under fewer rules.

use std::borrow::Cow;

use uuid::Uuid;

use crate::decimal::parse_hundredths;
use crate::text::{CONTROL, MAX_TEXT_CHARS, REQUIRED, TOO_LONG, normalise};

const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;
const MAX_RANK_HUNDREDTHS: u32 = 100 * 100;

const BAD_YEAR: &str = "must be an integer from 1900 to 2100";
const BAD_RANK: &str = "must be a decimal from 0 to 100 with at most two decimals";

/// A valid vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The band.
    pub name: Name,
    /// The album.
    pub album: Album,
    /// The year of the album.
    pub year: Year,
    /// The rank.
    pub rank: Rank,
}

/// Defines a text type. Each text field has its own type, so that code cannot mix up a band and an album.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Parses the text of a client. The error is the reason, without the name of the field.
            pub fn parse(text: String) -> Result<Self, Cow<'static, str>> {
                normalise(text).map(Self)
            }

            /// Reads stored text as it is.
            pub(crate) fn from_stored(text: String) -> Result<Self, &'static str> {
                check_stored(text).map(Self)
            }

            /// The canonical text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The canonical text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }
    };
}

text! {
    /// The name of a band: 1 to 200 characters in normal form ([`crate::text`]).
    Name
}

text! {
    /// The title of an album: 1 to 200 characters in normal form ([`crate::text`]).
    Album
}

/// A year, 1900 to 2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Year(u32);

/// A rank, 0 to 100 in steps of a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    hundredths: u32,
}

impl Year {
    /// Parses the text of a client. The error is the reason, without the name of the field.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(REQUIRED);
        }
        let hundredths = parse_hundredths(trimmed).ok_or(BAD_YEAR)?;
        let (year, fraction) = (hundredths / 100, hundredths % 100);
        if fraction == 0 && YEARS.contains(&year) {
            Ok(Self(year))
        } else {
            Err(BAD_YEAR)
        }
    }
}

impl Rank {
    /// Parses the text of a client. The error is the reason, without the name of the field.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(REQUIRED);
        }
        let hundredths = parse_hundredths(trimmed).ok_or(BAD_RANK)?;
        if hundredths <= MAX_RANK_HUNDREDTHS {
            Ok(Self { hundredths })
        } else {
            Err(BAD_RANK)
        }
    }
}

impl std::fmt::Display for Year {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// The canonical decimal, without trailing zeros: `9.5`, `"9.5"` and `"9.50"` are the same rank.
impl std::fmt::Display for Rank {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, fraction) = (self.hundredths / 100, self.hundredths % 100);
        match fraction {
            0 => write!(formatter, "{whole}"),
            tenths if tenths % 10 == 0 => write!(formatter, "{whole}.{}", tenths / 10),
            _ => write!(formatter, "{whole}.{fraction:02}"),
        }
    }
}

/// The rules of the first version, which every stored text fulfils.
fn check_stored(text: String) -> Result<String, &'static str> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(REQUIRED);
    }
    // A text never has more characters than bytes, so only a long text needs counting.
    if trimmed.len() > MAX_TEXT_CHARS && trimmed.chars().count() > MAX_TEXT_CHARS {
        return Err(TOO_LONG);
    }
    if trimmed.chars().any(char::is_control) {
        return Err(CONTROL);
    }
    if trimmed.len() == text.len() {
        Ok(text)
    } else {
        Ok(trimmed.to_owned())
    }
}

/// Parses the vote id of a client; `None` for blank text. The nil and the max UUID are what a client sends if it forgot
/// to choose an id: two such votes would count as one.
pub(crate) fn parse_chosen_id(text: &str) -> Result<Option<Uuid>, &'static str> {
    match parse_vote_id(text)? {
        Some(id) if id.is_nil() => Err("must not be the nil UUID: choose an id of your own, or send none"),
        Some(id) if id.is_max() => Err("must not be the max UUID: choose an id of your own, or send none"),
        id => Ok(id),
    }
}

/// Parses a vote id; `None` for blank text.
pub(crate) fn parse_vote_id(text: &str) -> Result<Option<Uuid>, &'static str> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    Uuid::try_parse(trimmed).map(Some).map_err(|_| "must be a UUID")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_has_one_canonical_form() {
        for (text, canonical) in [
            ("9.5", "9.5"),
            ("9.50", "9.5"),
            (" 9.05 ", "9.05"),
            ("0", "0"),
            ("0.00", "0"),
            ("100", "100"),
            ("100.00", "100"),
            ("007", "7"),
            ("9.500", "9.5"),
            ("1e1", "10"),
            ("-0", "0"),
            ("-0.00", "0"),
        ] {
            assert_eq!(Rank::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn rank_rejects_text_that_is_not_a_decimal_in_range() {
        for text in [
            "",
            " ",
            "100.01",
            "-1",
            "+1",
            "9.",
            ".5",
            "9.123",
            "1e3",
            "-0.01",
            "9,5",
            "NaN",
            "655.36",
            "99999999999999",
            "٩",
        ] {
            assert!(Rank::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn year_is_an_integer_in_range() {
        for (text, canonical) in [
            ("1900", "1900"),
            ("2100", "2100"),
            (" 1997 ", "1997"),
            ("1997.0", "1997"),
            ("1.997e3", "1997"),
            ("01997", "1997"),
        ] {
            assert_eq!(Year::parse(text).unwrap().to_string(), canonical, "{text}");
        }
        for text in [
            "",
            "1899",
            "2101",
            "97",
            "1997.5",
            "1997.01",
            "+1997",
            "-1997",
            "-0",
            "１９９７",
            "MCMXCVII",
        ] {
            assert!(Year::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn client_cannot_choose_the_nil_or_the_max_uuid() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "00000000000000000000000000000000",
            " {00000000-0000-0000-0000-000000000000} ",
            "urn:uuid:ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert!(
                parse_chosen_id(text).unwrap_err().starts_with("must not be the"),
                "{text}"
            );
            assert!(
                parse_vote_id(text).unwrap().is_some(),
                "stored events can have {text}"
            );
        }
        assert_eq!(parse_chosen_id(" "), Ok(None));
        assert!(
            parse_chosen_id("00000000-0000-0000-0000-000000000001")
                .unwrap()
                .is_some()
        );
    }
}
