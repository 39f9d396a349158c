//! The normal form of a name or title. Texts that look alike have the same normal form, so their votes are counted
//! together.
//!
//! - NFC: `é` as one character and `e` with an accent are the same text.
//! - All kinds of white space become one ordinary space; there is none at the ends.
//! - Invisible characters at the ends are removed. Elsewhere they are an error, except where they change what readers
//!   see ([`invisible`]).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::invisible::{self, BRAILLE_BLANK};

/// Maximum number of characters of a normalised text.
pub(crate) const MAX_TEXT_CHARS: usize = 200;
/// Maximum size of a text before normalisation, in bytes. It bounds the work for a text that is mostly white space or
/// accents. 200 characters have at most 2,400 bytes in any normalisation form.
const MAX_TEXT_BYTES: usize = 4_096;

pub(crate) const REQUIRED: &str = "is required";
pub(crate) const TOO_LONG: &str = "must have at most 200 characters (before normalisation, 4,096 bytes)";
pub(crate) const CONTROL: &str = "must not contain control characters";
const NOTHING_VISIBLE: &str = "must contain a visible character";

/// Normalises the text of a client. The error is the reason, without the name of the field.
pub(crate) fn normalise(text: String) -> Result<String, Cow<'static, str>> {
    if is_plain(&text) {
        return Ok(text);
    }
    let trimmed = text.trim_end().trim_start_matches(is_removed_at_the_ends);
    if text.trim().is_empty() {
        return Err(REQUIRED.into());
    }
    if trimmed.len() > MAX_TEXT_BYTES {
        return Err(TOO_LONG.into());
    }
    let mut chars =
        with_single_spaces(ComposingNormalizerBorrowed::new_nfc().normalize_iter(trimmed.chars()));
    remove_invisible_end(&mut chars);
    if !chars.iter().any(|&char| invisible::is_visible(char)) {
        return Err(NOTHING_VISIBLE.into());
    }
    if chars.len() > MAX_TEXT_CHARS {
        return Err(TOO_LONG.into());
    }
    if chars.iter().any(|char| char.is_control()) {
        return Err(CONTROL.into());
    }
    match invisible::first_refused(&chars) {
        Some(refused) => Err(refused.into()),
        None => Ok(chars.into_iter().collect()),
    }
}

/// Whether a text of visible ASCII and Latin characters is in normal form. Most texts are, and cost no allocation.
fn is_plain(text: &str) -> bool {
    let mut count = 0;
    let mut previous = ' ';
    for char in text.chars() {
        // Up to U+02FF, no character changes in NFC, and only the soft hyphen (U+00AD) is invisible.
        let is_plain = matches!(char, '!'..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}');
        if !is_plain && (char != ' ' || previous == ' ') {
            return false;
        }
        count += 1;
        previous = char;
    }
    previous != ' ' && count <= MAX_TEXT_CHARS
}

/// Whether readers see a space. White space that is a control character, such as a line break, is an error.
fn is_space(char: char) -> bool {
    char.is_whitespace() && !char.is_control() || char == BRAILLE_BLANK
}

fn is_removed_at_the_ends(char: char) -> bool {
    char.is_whitespace() || is_space(char) || invisible::is_invisible(char)
}

fn with_single_spaces(chars: impl Iterator<Item = char>) -> Vec<char> {
    let mut result = Vec::new();
    for char in chars {
        if !is_space(char) {
            result.push(char);
        } else if result.last() != Some(&' ') {
            result.push(' ');
        }
    }
    result
}

/// Removes spaces and invisible characters from the end, but not those that change the character before them.
fn remove_invisible_end(chars: &mut Vec<char>) {
    while let Some((&last, before)) = chars.split_last() {
        if !is_removed_at_the_ends(last) || invisible::has_effect(before, last, &[]) {
            return;
        }
        chars.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str) -> String {
        normalise(text.to_owned()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn reason(text: &str) -> String {
        match normalise(text.to_owned()) {
            Ok(normalised) => panic!("{text:?} became {normalised:?}"),
            Err(reason) => reason.into_owned(),
        }
    }

    #[test]
    fn spellings_that_look_alike_have_one_normal_form() {
        for (text, expected) in [
            ("Centroame\u{301}rica", "Centroamérica"),
            ("Viernes\u{a0}Verde", "Viernes Verde"),
            ("Viernes\u{2028}Verde", "Viernes Verde"),
            ("Viernes\u{2029} \u{202f}Verde", "Viernes Verde"),
            ("Viernes\u{3000}Verde", "Viernes Verde"),
            ("Viernes \u{2003} \u{2800}Verde", "Viernes Verde"),
            ("Viernes   Verde", "Viernes Verde"),
            ("\u{feff}Viernes Verde\u{200b}", "Viernes Verde"),
            (
                " \u{200b} Viernes Verde \u{ad}\u{3164}\u{2060}\t",
                "Viernes Verde",
            ),
            ("\u{200d}Viernes Verde\u{200d}\u{fe0f} ", "Viernes Verde"),
            ("\u{212b}ngstro\u{308}m", "Ångström"),
            ("q\u{323}\u{307}", "q\u{323}\u{307}"),
            ("q\u{307}\u{323}", "q\u{323}\u{307}"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
        ] {
            assert_eq!(normalised(text), expected, "{text:?}");
        }
    }

    #[test]
    fn text_without_a_visible_character_is_refused() {
        for text in [
            "\u{200b}",
            "\u{200d}",
            "\u{2063}",
            "\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{115f}",
            "\u{1160}",
            "\u{ffa0}",
            "\u{ad}",
            "\u{fe0f}",
            "\u{e0100}",
            "\u{301}",
            "\u{20dd}",
            "\u{93e}",
            "\u{34f}",
            "\u{180e}",
            "\u{202e}",
            "\u{e0041}",
            "\u{301} \u{200b}",
            "\u{ffff}",
        ] {
            assert_eq!(reason(text), NOTHING_VISIBLE, "{text:?}");
        }
        for text in ["", " ", "\u{a0}\u{3000}", "\t\n"] {
            assert_eq!(reason(text), REQUIRED, "{text:?}");
        }
    }

    #[test]
    fn control_characters_inside_are_refused() {
        for text in ["a\u{0}b", "a\tb", "a\r\nb", "a\u{85}b", "a\u{7f}b"] {
            assert_eq!(reason(text), CONTROL, "{text:?}");
        }
    }

    #[test]
    fn length_counts_the_characters_of_the_normal_form() {
        for text in [
            "x".repeat(200),
            "é".repeat(200),
            "e\u{301}".repeat(200),
            "界".repeat(200),
        ] {
            assert_eq!(normalised(&text).chars().count(), 200);
            assert_eq!(reason(&format!("{text}y")), TOO_LONG);
        }
        assert_eq!(normalised(&format!("a{}b", " ".repeat(4_000))), "a b");
        assert_eq!(reason(&format!("a{}b", " ".repeat(4_100))), TOO_LONG);
        assert_eq!(reason(&format!("a{}", "\u{301}".repeat(500_000))), TOO_LONG);
    }

    #[test]
    fn plain_text_is_not_copied() {
        for text in ["Bohemia Suburbana", "Centroamérica", "Sueños de jade", "x"] {
            let text = text.to_owned();
            let address = text.as_ptr();
            let normalised = normalise(text).unwrap();
            assert_eq!(normalised.as_ptr(), address);
        }
    }

    #[test]
    fn plain_characters_are_visible_and_do_not_change_in_nfc() {
        let nfc = ComposingNormalizerBorrowed::new_nfc();
        for char in ('\0'..='\u{2ff}').filter(|char| is_plain(&char.to_string())) {
            assert!(invisible::is_visible(char), "{char:?}");
            assert!(nfc.normalize_iter([char].into_iter()).eq([char]), "{char:?}");
        }
    }
}
