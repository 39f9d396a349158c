//! Decimal numbers as text. Only the value counts: `10`, `10.0` and `1e1` are the same number, as a JSON number and as text,
//! and so are `-0` and `0`.

/// The largest power of ten that a year or a rank can have: both are below 10,000.
const MAX_POWER: i64 = 3;

/// Parses a decimal into hundredths, exactly. Accepts the numbers of JSON, and leading zeros. `None` for any other text,
/// and for a value that is negative, 10,000 or more, or finer than hundredths.
pub(crate) fn parse_hundredths(text: &str) -> Option<u32> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() {
        return None;
    }
    let mut power = i64::try_from(whole.len()).ok()? - 1 + i64::from(exponent);
    let mut hundredths = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        match digit {
            b'0' => {}
            b'1'..=b'9' if (-2..=MAX_POWER).contains(&power) => {
                hundredths += u32::from(digit - b'0') * 10_u32.pow(u32::try_from(power + 2).ok()?);
            }
            _ => return None,
        }
        power -= 1;
    }
    (!is_negative || hundredths == 0).then_some(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (text, hundredths) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("-0.00", 0),
            ("-0.000e7", 0),
            ("0e99", 0),
            ("9.5", 950),
            ("9.50", 950),
            ("9.5000", 950),
            ("0.95e1", 950),
            ("950e-2", 950),
            ("95000E-4", 950),
            ("007", 700),
            ("1e1", 1_000),
            ("1E+1", 1_000),
            ("1997", 199_700),
            ("1997.0", 199_700),
            ("1.997e3", 199_700),
            ("9999.99", 999_999),
        ] {
            assert_eq!(parse_hundredths(text), Some(hundredths), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "-",
            "+5",
            ".5",
            "5.",
            "-.5",
            "1e",
            "e1",
            "1e1.5",
            "1e+-1",
            "--0",
            "0x1",
            "1_0",
            "9,5",
            "1.2.3",
            "NaN",
            "inf",
            "٩",
            "１９９７",
            "1 0",
            "-1",
            "-0.01",
            "9.123",
            "1e-3",
            "10000",
            "1e4",
            "1e99999999999",
            "99999999999999999999",
        ] {
            assert_eq!(parse_hundredths(text), None, "{text}");
        }
    }
}
