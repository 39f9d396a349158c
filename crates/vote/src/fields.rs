//! The fields of a vote as types that can only hold valid values. `parse` trims the text of a client and returns the
//! canonical value, or the message for the client.
//!
//! [`crate::VoteEvent::decode`] uses these types too. So put a check that applies only to new votes into
//! `vote_rules.rs` of `ingest`.

use uuid::Uuid;

const MAX_TEXT_CHARS: usize = 200;
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2100;
const MAX_RANK_HUNDREDTHS: u16 = 100 * 100;

const REQUIRED: &str = "is required";
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
            pub fn parse(text: String) -> Result<Self, &'static str> {
                parse_text(text).map(Self)
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
    /// The name of a band: 1 to 200 characters, trimmed, no control characters.
    Name
}

text! {
    /// The title of an album: 1 to 200 characters, trimmed, no control characters.
    Album
}

/// A year, 1900 to 2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Year(u16);

/// A rank, 0 to 100 in steps of a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    hundredths: u16,
}

impl Year {
    /// Parses the text of a client. The error is the reason, without the name of the field.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(REQUIRED);
        }
        let is_plain = trimmed.len() == 4 && trimmed.bytes().all(|byte| byte.is_ascii_digit());
        let year: u16 = is_plain.then(|| trimmed.parse().ok()).flatten().ok_or(BAD_YEAR)?;
        if YEARS.contains(&year) {
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

fn parse_text(text: String) -> Result<String, &'static str> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(REQUIRED);
    }
    // A text never has more characters than bytes, so only a long text needs counting.
    if trimmed.len() > MAX_TEXT_CHARS && trimmed.chars().count() > MAX_TEXT_CHARS {
        return Err("must have at most 200 characters");
    }
    if trimmed.chars().any(char::is_control) {
        return Err("must not contain control characters");
    }
    if trimmed.len() == text.len() {
        Ok(text)
    } else {
        Ok(trimmed.to_owned())
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

/// Parses `digits[.d[d]]` into hundredths. `None` for any other text and for a value above `u16::MAX`.
fn parse_hundredths(text: &str) -> Option<u16> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if (1..=2).contains(&fraction.len()) => (whole, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let scale = if fraction.len() == 1 { 10 } else { 1 };
    let fraction_hundredths = fraction.parse::<u16>().ok()? * scale;
    whole
        .parse::<u16>()
        .ok()?
        .checked_mul(100)?
        .checked_add(fraction_hundredths)
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
            "1e1",
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
    fn year_is_four_digits_in_range() {
        for text in ["1900", "2100", " 1997 "] {
            assert_eq!(Year::parse(text).unwrap().to_string(), text.trim());
        }
        for text in [
            "",
            "1899",
            "2101",
            "97",
            "01997",
            "1997.0",
            "+1997",
            "-199",
            "１９９７",
        ] {
            assert!(Year::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_is_trimmed_and_limited_to_200_characters() {
        assert_eq!(
            Name::parse("  Bohemia Suburbana ".into()).unwrap().as_str(),
            "Bohemia Suburbana"
        );
        assert!(Name::parse("é".repeat(200)).is_ok());
        assert!(Name::parse("é".repeat(201)).is_err());
        assert!(Album::parse("a\u{0}b".into()).is_err());
        assert!(Album::parse("a\u{85}b".into()).is_err());
        assert!(Album::parse("\t\n".into()).is_err());
    }
}
