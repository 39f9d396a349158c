//! Characters that readers cannot see. In a name they make two texts look alike, or change the order in which the
//! characters of a page are shown. Some of them are necessary in certain scripts and in emoji; those are accepted where
//! they change what readers see.

use icu_properties::props::{
    BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, EnumeratedProperty,
    ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, JoiningType, UnifiedIdeograph,
};

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';
/// Looks like a space, but is not white space in Unicode.
pub(crate) const BRAILLE_BLANK: char = '\u{2800}';
const KEYCAP: char = '\u{20e3}';
const BLACK_FLAG: char = '\u{1f3f4}';

/// Whether the character has no glyph, and no other effect than on its neighbours.
pub(crate) fn is_invisible(char: char) -> bool {
    DefaultIgnorableCodePoint::for_char(char) && !changes_direction(char)
}

/// Whether the character alone is something to read: not a space, an accent, or a character for formatting.
pub(crate) fn is_visible(char: char) -> bool {
    let hidden = GeneralCategoryGroup::Mark
        .union(GeneralCategoryGroup::Separator)
        .union(GeneralCategoryGroup::Control)
        .union(GeneralCategoryGroup::Format);
    !hidden.contains(GeneralCategory::for_char(char))
        && !DefaultIgnorableCodePoint::for_char(char)
        && !is_noncharacter(char)
        && char != BRAILLE_BLANK
}

/// The reason to refuse the text, if it contains an invisible character without a purpose.
pub(crate) fn first_refused(chars: &[char]) -> Option<String> {
    (0..chars.len()).find_map(|index| {
        let (before, rest) = chars.split_at(index);
        let (&char, after) = rest.split_first()?;
        let code_point = u32::from(char);
        if changes_direction(char) {
            return Some(format!(
                "must not contain U+{code_point:04X}, which changes the direction of text"
            ));
        }
        let is_hidden = is_invisible(char) || is_annotation(char) || is_noncharacter(char);
        (is_hidden && !has_effect(before, char, after))
            .then(|| format!("must not contain the invisible character U+{code_point:04X}"))
    })
}

/// Whether an invisible character between `before` and `after` changes what readers see.
pub(crate) fn has_effect(before: &[char], char: char, after: &[char]) -> bool {
    let Some(&previous) = before.last() else {
        return false;
    };
    match char {
        NON_JOINER | JOINER => is_at_virama(previous, after) || joins(before, char, after),
        // The emoji form or the text form of a symbol, and the digit of a keycap.
        '\u{fe0e}' | '\u{fe0f}' => ExtendedPictographic::for_char(previous) || after.first() == Some(&KEYCAP),
        // The variants of ideographs, in Japanese and Chinese names.
        '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => UnifiedIdeograph::for_char(previous),
        // The variants and the vowel separator of Mongolian.
        '\u{180b}'..='\u{180f}' => matches!(previous, '\u{1800}'..='\u{18af}'),
        // The flags of England, Scotland and Wales.
        '\u{e0020}'..='\u{e007f}' => matches!(previous, BLACK_FLAG | '\u{e0020}'..='\u{e007e}'),
        _ => false,
    }
}

/// The scripts of India: a joiner beside a virama selects the form of the consonants.
fn is_at_virama(previous: char, after: &[char]) -> bool {
    let is_virama = |char| CanonicalCombiningClass::for_char(char) == CanonicalCombiningClass::Virama;
    is_virama(previous) || is_visible(previous) && after.first().is_some_and(|&next| is_virama(next))
}

/// Whether a (non-)joiner connects or separates its neighbours: the letters of a cursive script, such as Arabic, or two
/// emoji.
fn joins(before: &[char], joiner: char, after: &[char]) -> bool {
    let joining_type = |&char: &char| JoiningType::for_char(char);
    let is_base = |joining_type: &JoiningType| *joining_type != JoiningType::Transparent;
    let previous = before.iter().rev().map(joining_type).find(is_base);
    let next = after.iter().map(joining_type).find(is_base);
    let connects_to_next = matches!(
        previous,
        Some(JoiningType::DualJoining | JoiningType::LeftJoining)
    );
    let connects_to_previous = matches!(next, Some(JoiningType::DualJoining | JoiningType::RightJoining));
    if joiner == NON_JOINER {
        return connects_to_next && connects_to_previous;
    }
    connects_to_next != connects_to_previous || is_between_emoji(before, after)
}

fn is_between_emoji(before: &[char], after: &[char]) -> bool {
    let is_modifier = |char: char| matches!(char, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
    let previous = before.iter().rev().find(|&&char| !is_modifier(char));
    let is_emoji = |char: Option<&char>| char.is_some_and(|&char| ExtendedPictographic::for_char(char));
    is_emoji(previous) && is_emoji(after.first())
}

/// The bidirectional controls. With them, text can be shown in another order than it is stored.
fn changes_direction(char: char) -> bool {
    matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// The marks of interlinear annotations, which no renderer shows.
fn is_annotation(char: char) -> bool {
    matches!(char, '\u{fff9}'..='\u{fffb}')
}

/// Code points that never become characters.
fn is_noncharacter(char: char) -> bool {
    matches!(char, '\u{fdd0}'..='\u{fdef}') || u32::from(char) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<String> {
        first_refused(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn invisible_characters_that_change_the_text_are_kept() {
        for text in [
            "می\u{200c}خواهم",     // Persian: a non-joiner inside a word
            "क्\u{200d}ष",          // Devanagari: a half form
            "क्\u{200c}ष",          // Devanagari: a visible virama
            "র\u{200d}্যাপ",         // Bengali: ra with ya-phala, as in "rap"
            "അവന്\u{200d}",         // Malayalam: a chillu letter at the end
            "ශ්\u{200d}රී",          // Sinhala: Sri
            "👩\u{200d}🎤",        // emoji: a singer
            "👩🏽\u{200d}🎤",        // with a skin tone
            "🏳\u{fe0f}\u{200d}🌈", // emoji: a rainbow flag
            "❤\u{fe0f}",           // emoji: a red heart
            "1\u{fe0f}\u{20e3}",   // emoji: a keycap
            "葛\u{e0100}城",       // Japanese: a variant of an ideograph
            "ᠠ\u{180b}",           // Mongolian: a variant of a letter
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", // the flag of England
        ] {
            assert_eq!(refused(text), None, "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_without_effect_are_refused_by_code_point() {
        for (text, code_point) in [
            ("Metal\u{200d}lica", "U+200D"),
            ("Metal\u{200c}lica", "U+200C"),
            ("Metal\u{200b}lica", "U+200B"),
            ("Metal\u{ad}lica", "U+00AD"),
            ("Metal\u{feff}lica", "U+FEFF"),
            ("Metal\u{2060}lica", "U+2060"),
            ("Metal\u{2063}lica", "U+2063"),
            ("Metal\u{34f}lica", "U+034F"),
            ("Metal\u{fe0f}lica", "U+FE0F"),
            ("Metal\u{e0100}lica", "U+E0100"),
            ("Metal\u{e0041}lica", "U+E0041"),
            ("Metal\u{3164}lica", "U+3164"),
            ("Metal\u{180b}lica", "U+180B"),
            ("Metal\u{fff9}lica", "U+FFF9"),
            ("Metal\u{ffff}lica", "U+FFFF"),
            ("می\u{200c} خواهم", "U+200C"),
            ("👩\u{200d} 🎤", "U+200D"),
        ] {
            let reason = refused(text).unwrap_or_default();
            assert_eq!(
                reason,
                format!("must not contain the invisible character {code_point}"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn characters_that_change_the_direction_are_refused() {
        for code_point in [0x61c, 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069] {
            let control = char::from_u32(code_point).unwrap();
            for text in [
                format!("a{control}b"),
                format!("{control}ab"),
                format!("ab{control}"),
            ] {
                assert_eq!(
                    refused(&text).unwrap_or_default(),
                    format!("must not contain U+{code_point:04X}, which changes the direction of text")
                );
            }
        }
    }
}
