//! The votes that a run sends: those of the contest, in turn.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use proto::votes::Vote;
use serde::Deserialize;

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
