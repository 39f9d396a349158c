//! The fields of a vote as types that can only hold valid values. `parse` takes what a client wrote, trims it, and
//! answers with the canonical value or with the sentence that the client gets to read.

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
    /// The album's year.
    pub year: Year,
    /// The rank that the voter gives.
    pub rank: Rank,
}

/// A type of text, so that a band cannot stand where an album belongs.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Takes a client's text; the error is the reason, without the field's name.
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
    /// A band's name: 1 to 200 characters, trimmed, no control characters.
    Name
}

text! {
    /// An album's title: 1 to 200 characters, trimmed, no control characters.
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
    /// Takes a client's text; the error is the reason, without the field's name.
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
    /// Takes a client's text; the error is the reason, without the field's name.
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

/// The canonical decimal: no trailing zeros, so that `9.5`, `"9.5"` and `"9.50"` are one rank.
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
    // Bytes bound characters from above: only a long text is worth counting.
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

/// `digits[.d[d]]` as hundredths; `None` for anything else, and for what no `u16` holds.
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
    fn rank_refuses_what_is_no_decimal_in_range() {
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
    fn text_is_trimmed_and_bounded_in_characters() {
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
