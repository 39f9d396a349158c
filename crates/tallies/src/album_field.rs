//! The field of an album in its hash: band and album in one text, from which both can be read back.

/// Separates the band from the album.
const SEPARATOR: &str = " - ";
/// Marks that the next character belongs to the band's name and does not begin a separator.
const ESCAPE: char = '\\';

/// The band and the album of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlbumName {
    /// The band.
    pub band: String,
    /// The album.
    pub album: String,
}

/// The field of an album: `band - album`. Two different pairs of band and album never share a field.
///
/// Within the band's name, a backslash precedes each ` - ` and each backslash. It also precedes a ` -` at the end of the
/// name, because the separator would complete it to ` - `. The name of the album is not changed: it begins after the first
/// separator that is not escaped.
pub fn album_field(band: &str, album: &str) -> String {
    let mut field = String::with_capacity(band.len() + SEPARATOR.len() + album.len());
    for (position, character) in band.char_indices() {
        let rest = band.get(position..).unwrap_or_default();
        if character == ESCAPE || rest.starts_with(SEPARATOR) || rest == " -" {
            field.push(ESCAPE);
        }
        field.push(character);
    }
    field.push_str(SEPARATOR);
    field.push_str(album);
    field
}

/// The band and the album of a field of the hash of albums. None if the field has no separator.
///
/// Fields that an earlier version wrote have no escapes. They are read correctly, except for a band whose name contains
/// ` - ` or a backslash before a space or another backslash; `consumer rebuild` replaces such fields.
pub fn parse_album_field(field: &str) -> Option<AlbumName> {
    let mut band = String::with_capacity(field.len());
    let mut rest = field;
    loop {
        if let Some(album) = rest.strip_prefix(SEPARATOR) {
            let album = album.to_owned();
            return Some(AlbumName { band, album });
        }
        let mut characters = rest.chars();
        let character = characters.next()?;
        rest = characters.as_str();
        let escaped = rest.chars().next().filter(|next| matches!(next, ' ' | '\\'));
        match escaped {
            Some(escaped) if character == ESCAPE => {
                band.push(escaped);
                rest = rest.get(escaped.len_utf8()..)?;
            }
            _ => band.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(band: &str, album: &str) -> AlbumName {
        AlbumName {
            band: band.to_owned(),
            album: album.to_owned(),
        }
    }

    #[test]
    fn field_of_an_ordinary_band_is_band_and_album() {
        assert_eq!(album_field("Alux Nahual", "Conquista"), "Alux Nahual - Conquista");
        assert_eq!(album_field("Anti-Flag", "A - B \\ C"), "Anti-Flag - A - B \\ C");
    }

    #[test]
    fn separator_and_backslash_of_a_band_are_escaped() {
        for (band, field) in [
            ("A - B", r"A\ - B - C"),
            ("A - - B", r"A\ -\ - B - C"),
            ("A -", r"A\ - - C"),
            (r"A\", r"A\\ - C"),
            (r"A\ - B", r"A\\\ - B - C"),
            ("-", "- - C"),
        ] {
            assert_eq!(album_field(band, "C"), field);
            assert_eq!(parse_album_field(field), Some(name(band, "C")));
        }
    }

    #[test]
    fn fields_without_escapes_of_earlier_versions_are_read() {
        for (field, band, album) in [
            ("AC/DC - Back in Black", "AC/DC", "Back in Black"),
            (r"AC\DC - Back in Black", r"AC\DC", "Back in Black"),
            ("A - B - C", "A", "B - C"),
        ] {
            assert_eq!(parse_album_field(field), Some(name(band, album)));
        }
        assert_eq!(parse_album_field("no separator"), None);
        assert_eq!(parse_album_field(r"A\ - B"), None);
    }

    /// Texts in which separators, their parts and escapes are frequent.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(" - ".to_owned()),
            Just(" ".to_owned()),
            Just("-".to_owned()),
            Just("\\".to_owned()),
            Just("ñ".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn band_and_album_are_read_back_from_their_field(band in text(), album in text()) {
            let field = album_field(&band, &album);
            prop_assert_eq!(parse_album_field(&field), Some(AlbumName { band, album }));
        }
    }

    /// Exhaustive for short texts of the characters that matter.
    #[test]
    fn different_albums_never_share_a_field() {
        let characters = [' ', '-', '\\', 'a'];
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..4 {
            last = last
                .iter()
                .flat_map(|text| characters.map(|character| format!("{text}{character}")))
                .collect();
            texts.extend(last.clone());
        }
        let mut fields = std::collections::HashSet::new();
        for band in &texts {
            for album in &texts {
                assert!(fields.insert(album_field(band, album)), "{band:?}, {album:?}");
            }
        }
    }
}
