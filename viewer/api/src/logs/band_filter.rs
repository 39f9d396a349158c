//! The parameter `band`: the name of a band, in the spellings that the log can have.

use std::borrow::Cow;

use mongodb::bson::{Bson, doc};
use vote::Name;

/// Longest text in the log, in characters.
const MAX_CHARS: usize = 200;

/// A filter by band. The log has the normal form of a name. Votes from before this rule have the text of their client, so
/// the filter also selects the text as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BandFilter {
    /// One or two different spellings.
    spellings: Vec<String>,
}

impl BandFilter {
    /// Parses the text of a client. The error is the reason, without the name of the parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let mut spellings: Vec<String> = as_stored_earlier(text).into_iter().collect();
        spellings.extend(Name::parse(text.to_owned()).ok().map(Name::into_string));
        spellings.dedup();
        if spellings.is_empty() {
            Err("must have 1 to 200 characters and no control characters".into())
        } else {
            Ok(Self { spellings })
        }
    }

    /// Whether the filter selects the votes for the band `name`.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.spellings.iter().any(|spelling| spelling == name)
    }

    /// The filter as a MongoDB condition on the name.
    pub(super) fn condition(&self) -> Bson {
        match self.spellings.as_slice() {
            [only] => only.into(),
            spellings => doc! { "$in": spellings }.into(),
        }
    }
}

/// The text as the first version stored it. None if that version did not accept it.
fn as_stored_earlier(text: &str) -> Option<String> {
    let trimmed = text.trim();
    let is_valid = (1..=MAX_CHARS).contains(&trimmed.chars().count()) && !trimmed.contains(char::is_control);
    is_valid.then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(text: &str) -> Vec<String> {
        BandFilter::parse(text).map_or_else(|_| Vec::new(), |filter| filter.spellings)
    }

    #[test]
    fn filter_has_the_typed_text_and_its_normal_form() {
        for (text, expected) in [
            ("Alux Nahual", &["Alux Nahual"][..]),
            ("  Alux Nahual\t", &["Alux Nahual"]),
            ("Alux  Nahual", &["Alux  Nahual", "Alux Nahual"]),
            ("Alux\u{a0}Nahual", &["Alux\u{a0}Nahual", "Alux Nahual"]),
            (
                "Centroame\u{301}rica",
                &["Centroame\u{301}rica", "Centroam\u{e9}rica"],
            ),
            (
                "\u{feff}Viernes Verde",
                &["\u{feff}Viernes Verde", "Viernes Verde"],
            ),
            // The first version accepted these. They have no normal form.
            ("Viernes\u{200b}Verde", &["Viernes\u{200b}Verde"]),
            ("\u{200b}", &["\u{200b}"]),
            ("", &[]),
            (" \u{a0}", &[]),
            ("a\nb", &[]),
        ] {
            assert_eq!(spellings(text), expected, "{text:?}");
        }
    }

    #[test]
    fn length_is_that_of_the_spelling_in_the_log() {
        let composed = "\u{e9}".repeat(200);
        assert_eq!(spellings(&"e\u{301}".repeat(200)), [composed.as_str()]);
        assert_eq!(spellings(&composed), [composed.as_str()]);
        assert!(spellings(&format!("{composed}x")).is_empty());
    }

    #[test]
    fn votes_in_each_spelling_match() {
        let filter = BandFilter::parse("Centroame\u{301}rica").unwrap();
        assert!(filter.matches("Centroam\u{e9}rica") && filter.matches("Centroame\u{301}rica"));
        assert!(!filter.matches("Centroamerica") && !filter.matches("centroam\u{e9}rica"));
        assert_eq!(BandFilter::parse("X").unwrap().condition(), Bson::from("X"));
    }
}
