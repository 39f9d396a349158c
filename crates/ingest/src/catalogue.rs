//! The catalogue of a contest: the bands and albums that can be voted for. Optional; without it, every name is accepted.
//!
//! The file is CSV with the columns `name` and `album`, one album per line. Names are normalised like those of votes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use vote::{Album, FieldError, Name, Vote};

/// Maximum size of the file, in bytes: about 200,000 albums. It bounds the memory of a route if the path is wrong.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// The albums of each band, in normal form.
#[derive(Clone, PartialEq, Eq)]
pub struct Catalogue {
    albums: HashMap<Box<str>, HashSet<Box<str>>>,
    digest: String,
}

impl Catalogue {
    /// Reads the file at `path`. The error says which line is wrong; the caller adds the option and the path.
    pub fn load(path: &str) -> Result<Arc<Self>, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("the file is larger than {MAX_FILE_BYTES} bytes"));
        }
        Self::parse(&bytes).map(Arc::new)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(bytes).map_err(|error| {
            let line = 1 + count_lines(bytes.iter().take(error.valid_up_to()));
            format!("line {line}: the text is not UTF-8")
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        let column = |wanted: &str| {
            headers
                .iter()
                .position(|header| header.trim().eq_ignore_ascii_case(wanted))
                .ok_or_else(|| {
                    format!(
                        "line 1: there is no column `{wanted}`; write the header `name,album`, with commas"
                    )
                })
        };
        let (name_column, album_column) = (column("name")?, column("album")?);

        let mut pairs = BTreeSet::new();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, |position| line_of(position, text));
            let (columns, expected) = (record.len(), headers.len());
            if columns != expected {
                return Err(format!(
                    "line {line}: {columns} columns, but the header has {expected}; put a value with a comma in quotes"
                ));
            }
            let text = |column| record.get(column).unwrap_or_default().to_owned();
            let invalid = |field, reason| format!("line {line}: {field} {reason}");
            let name = Name::parse(text(name_column)).map_err(|reason| invalid("name", reason))?;
            let album = Album::parse(text(album_column)).map_err(|reason| invalid("album", reason))?;
            pairs.insert((name.into_string(), album.into_string()));
        }
        if pairs.is_empty() {
            return Err("the file has no albums".to_owned());
        }
        Ok(Self::from_pairs(pairs))
    }

    fn from_pairs(pairs: BTreeSet<(String, String)>) -> Self {
        let mut hasher = Sha256::new();
        let mut albums = HashMap::<Box<str>, HashSet<Box<str>>>::new();
        for (name, album) in pairs {
            // A name contains no line break, so no other catalogue has these lines.
            hasher.update(format!("{name}\n{album}\n"));
            albums.entry(name.into()).or_default().insert(album.into());
        }
        let bits = hasher
            .finalize()
            .iter()
            .take(6)
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        Self {
            albums,
            digest: format!("{bits:012x}"),
        }
    }

    /// Hash of the content: equal for equal catalogues, in any order of the lines and in any spelling that is normalised.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Checks that the band and its album can be voted for.
    pub(crate) fn check(&self, vote: &Vote) -> Result<(), FieldError> {
        let Some(albums) = self.albums.get(vote.name.as_str()) else {
            return Err(FieldError {
                field: "name",
                message: "is not a band of the catalogue".into(),
            });
        };
        if albums.contains(vote.album.as_str()) {
            return Ok(());
        }
        Err(FieldError {
            field: "album",
            message: "is not an album of this band in the catalogue".into(),
        })
    }
}

/// The line of a record. Its position is that of the empty lines before it.
fn line_of(position: &csv::Position, text: &str) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    let empty_lines = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
    position.line() + count_lines(empty_lines)
}

fn count_lines<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.filter(|byte| **byte == b'\n').count() as u64
}

/// The digest only: a catalogue can have thousands of names.
impl fmt::Debug for Catalogue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Catalogue")
            .field("bands", &self.albums.len())
            .field("digest", &self.digest)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use vote::Draft;

    use super::*;

    fn catalogue(text: &str) -> Catalogue {
        Catalogue::parse(text.as_bytes()).unwrap()
    }

    fn field_error(catalogue: &Catalogue, name: &str, album: &str) -> Option<&'static str> {
        let draft = Draft {
            name: name.to_owned().into(),
            album: album.to_owned().into(),
            year: "1997".to_owned().into(),
            rank: "9".to_owned().into(),
            ..Draft::default()
        };
        catalogue
            .check(&draft.validate().unwrap().vote)
            .err()
            .map(|error| error.field)
    }

    #[test]
    fn album_belongs_to_its_band() {
        let catalogue =
            catalogue("name,album\nLa Tona,Moneda\nAlux Nahual,Leyenda\nAlux Nahual,\"Conquista, 1982\"\n");
        assert_eq!(field_error(&catalogue, "Alux Nahual", "Leyenda"), None);
        assert_eq!(field_error(&catalogue, "Alux Nahual", "Conquista, 1982"), None);
        assert_eq!(field_error(&catalogue, "Alux Nahual", "Moneda"), Some("album"));
        assert_eq!(field_error(&catalogue, "alux nahual", "Leyenda"), Some("name"));
        assert_eq!(field_error(&catalogue, "Metallica", "Load"), Some("name"));
    }

    #[test]
    fn names_match_in_any_spelling_that_is_normalised() {
        let decomposed = catalogue("name,album\n Alux  Nahual ,Centroame\u{301}rica\n");
        assert_eq!(
            field_error(&decomposed, "Alux\u{a0}Nahual", "Centroamérica"),
            None
        );
        let composed = catalogue(
            "\u{feff}Album,year,NAME\r\nCentroamérica,1986,Alux Nahual\r\n\r\nCentroamérica,,Alux Nahual\r\n",
        );
        assert_eq!(composed, decomposed);
        assert_ne!(
            composed.digest(),
            catalogue("name,album\nAlux Nahual,Leyenda\n").digest()
        );
    }

    #[test]
    fn error_names_the_line() {
        for (text, expected) in [
            (
                "name,album\nLa Tona,Moneda\n\nAlux Nahual,\n",
                "line 4: album is required",
            ),
            (
                "name,album\n\u{200b},Moneda\n",
                "line 2: name must contain a visible character",
            ),
            (
                "name,title\nLa Tona,Moneda\n",
                "line 1: there is no column `album`",
            ),
            (
                "name;album\nLa Tona;Moneda\n",
                "line 1: there is no column `name`",
            ),
            ("", "line 1: there is no column `name`"),
            ("name,album\n", "the file has no albums"),
            (
                "name,album\nLa Tona,Moneda,1995\n",
                "line 2: 3 columns, but the header has 2",
            ),
        ] {
            let error = Catalogue::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        let error = Catalogue::parse(b"name,album\nLa Tona,\xff\n").unwrap_err();
        assert_eq!(error, "line 2: the text is not UTF-8");
    }

    #[test]
    fn unreadable_files_are_refused() {
        let error = |path| Catalogue::load(path).unwrap_err();
        assert!(error("/nonexistent.csv").contains("No such file"));
        assert!(error("/").contains("directory"));
        assert!(error("/dev/zero").contains("larger than 8388608 bytes"));
    }
}
