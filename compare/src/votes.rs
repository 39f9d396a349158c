//! The votes that a run sends: those of the contest, in turn.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use proto::votes::Vote;
use serde::Deserialize;

/// What is kept of a padded text at most, in characters: with 4 bytes for each other one up to the contract's limit,
/// every text can reach half of the largest payload.
const KEPT_CHARS: usize = 20;
/// The contract's limit of a text.
const MAX_CHARS: usize = 200;
/// The least and most bytes of band and album together that a vote can be padded to.
pub const PAYLOAD_BYTES: std::ops::RangeInclusive<usize> = 8..=1_400;

/// The votes of the contest's file, without ids: the routes give them.
pub fn of_the_contest(root: &Path) -> Result<Arc<[Vote]>> {
    #[derive(Deserialize)]
    struct Line {
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
    let lines: Vec<Line> =
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?;
    let votes = lines.into_iter().map(|line| Vote {
        name: line.name,
        album: line.album,
        year: text(line.year),
        rank: text(line.rank),
        vote_id: String::new(),
    });
    Ok(votes.collect())
}

/// The votes with band and album cut or padded to `bytes` together, each to half; as they are with None.
pub fn padded(votes: &[Vote], bytes: Option<usize>) -> Cow<'_, [Vote]> {
    let Some(bytes) = bytes else {
        return Cow::Borrowed(votes);
    };
    let sized = votes.iter().map(|vote| Vote {
        name: sized(&vote.name, bytes / 2),
        album: sized(&vote.album, bytes - bytes / 2),
        ..vote.clone()
    });
    sized.collect()
}

/// The beginning of a text, then full stops, and guitars where full stops would be too many characters.
fn sized(text: &str, bytes: usize) -> String {
    const WIDE: char = '🎸';
    let mut sized = String::with_capacity(bytes);
    for character in text.trim().chars().take(KEPT_CHARS) {
        if sized.len() + character.len_utf8() > bytes {
            break;
        }
        sized.push(character);
    }
    let missing = bytes - sized.len();
    let room = MAX_CHARS - sized.chars().count();
    // w wide ones and n narrow ones: 4 w + n = missing, w + n <= room.
    let wide = missing.saturating_sub(room).div_ceil(WIDE.len_utf8() - 1);
    sized.extend(std::iter::repeat_n(WIDE, wide));
    sized.extend(std::iter::repeat_n('.', missing - wide * WIDE.len_utf8()));
    // What is trimmed by the routes would be missing.
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
    fn a_padded_vote_has_its_size_and_is_valid() {
        let vote = Vote {
            name: "Malacates Trébol Shop".to_owned(),
            album: "Sólo éxitos… (dicen)".to_owned(),
            ..Vote::default()
        };
        for bytes in PAYLOAD_BYTES {
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
