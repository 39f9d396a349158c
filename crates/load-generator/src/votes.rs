//! The votes that a run sends: the entries of the vote file, repeated as often as needed.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use proto::votes::Vote;
use serde::Deserialize;

/// A padded field keeps at most this many characters of the original. The remaining characters can then fill half of the
/// largest payload with 4-byte characters without exceeding [`MAX_CHARS`].
const MAX_KEPT_CHARS: usize = 20;
/// The limit of the API for one field, in characters.
const MAX_CHARS: usize = 200;

/// Reads `locust/votes/bandas_guatemala.json`, without ids: the services assign them.
pub fn read_vote_file(root: &Path) -> Result<Arc<[Vote]>> {
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        album: String,
        year: serde_json::Value,
        rank: serde_json::Value,
    }
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let path = root.join("locust/votes/bandas_guatemala.json");
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let entries: Vec<Entry> =
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?;
    let votes = entries.into_iter().map(|entry| Vote {
        name: entry.name,
        album: entry.album,
        year: text(entry.year),
        rank: text(entry.rank),
        vote_id: String::new(),
    });
    Ok(votes.collect())
}

/// Cuts or pads band and album of each vote to half of `bytes` each; `None` leaves the votes unchanged.
pub fn padded(votes: &[Vote], bytes: Option<usize>) -> Cow<'_, [Vote]> {
    let Some(bytes) = bytes else {
        return Cow::Borrowed(votes);
    };
    let resized_votes = votes.iter().map(|vote| Vote {
        name: resized(&vote.name, bytes / 2),
        album: resized(&vote.album, bytes - bytes / 2),
        ..vote.clone()
    });
    resized_votes.collect()
}

/// Cuts `text` and pads it to `bytes` with full stops. Where full stops would exceed [`MAX_CHARS`], 4-byte characters
/// replace them.
fn resized(text: &str, bytes: usize) -> String {
    const WIDE: char = '🎸';
    let mut sized = String::with_capacity(bytes);
    for character in text.trim().chars().take(MAX_KEPT_CHARS) {
        if sized.len() + character.len_utf8() > bytes {
            break;
        }
        sized.push(character);
    }
    let missing = bytes - sized.len();
    let room = MAX_CHARS - sized.chars().count();
    // With w wide and n narrow characters: 4 w + n = missing, w + n <= room.
    let wide = missing.saturating_sub(room).div_ceil(WIDE.len_utf8() - 1);
    sized.extend(std::iter::repeat_n(WIDE, wide));
    sized.extend(std::iter::repeat_n('.', missing - wide * WIDE.len_utf8()));
    // The services trim the text, so a trailing space would be lost.
    if sized.ends_with(' ') {
        sized.pop();
        sized.push('.');
    }
    sized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_vote_has_the_requested_size_and_is_valid() {
        let vote = Vote {
            name: "Malacates Trébol Shop".to_owned(),
            album: "Sólo éxitos… (dicen)".to_owned(),
            ..Vote::default()
        };
        for bytes in experiment_model::load::PAYLOAD_BYTES {
            let padded = padded(std::slice::from_ref(&vote), Some(bytes));
            let [padded] = &padded[..] else {
                panic!("one vote");
            };
            assert_eq!(padded.name.len() + padded.album.len(), bytes);
            for text in [&padded.name, &padded.album] {
                assert!(text.chars().count() <= MAX_CHARS, "{bytes}: {text}");
                assert_eq!((text.trim(), text.is_empty()), (text.as_str(), false));
            }
        }
    }
}
