//! The ledger that Locust writes: one line for each vote that it sent.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use vote::Route;

/// One vote and its outcome, as Locust recorded them.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    /// The route that answered; `None` if there was no answer.
    #[serde(deserialize_with = "deserialize_route")]
    pub route: Option<Route>,
    /// The path on which the vote was sent: `split`, `grpc` or `rest`.
    pub path: String,
    /// The time from the start of the request to the end of the answer, in microseconds.
    pub latency_us: u64,
    /// Whether the vote was acknowledged.
    pub ok: bool,
}

/// All votes of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// Reads JSON lines. An invalid line is an error, because it may be a vote.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening the ledger {}", path.display()))?;
        let parse = |(index, line): (usize, std::io::Result<String>)| {
            serde_json::from_str(&line?).with_context(|| format!("{}, line {}", path.display(), index + 1))
        };
        let entries = BufReader::new(file)
            .lines()
            .enumerate()
            .map(parse)
            .collect::<Result<_>>()?;
        Ok(Self { entries })
    }

    /// The number of acknowledged votes.
    pub(super) fn acknowledged(&self) -> usize {
        self.entries.iter().filter(|entry| entry.ok).count()
    }

    /// The latencies of the votes that `route` acknowledged, in milliseconds, ascending.
    pub(super) fn latencies_ms(&self, route: Route) -> Vec<f64> {
        let acknowledged = self
            .entries
            .iter()
            .filter(|entry| entry.ok && entry.route == Some(route));
        let mut latencies: Vec<f64> = acknowledged
            .map(|entry| entry.latency_us as f64 / 1_000.0)
            .collect();
        latencies.sort_by(f64::total_cmp);
        latencies
    }
}

fn deserialize_route<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Route>, D::Error> {
    let name: Option<String> = Deserialize::deserialize(deserializer)?;
    name.map(|name| name.parse().map_err(serde::de::Error::custom))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_an_invalid_line_contains_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        let valid = r#"{"vote_id":null,"route":null,"path":"split","sent_at_us":1,"latency_us":5,"ok":false,"status":"x"}"#;
        std::fs::write(&path, format!("{valid}\n{{\"vote_id\"")).unwrap();
        assert!(Ledger::read(&path).unwrap_err().to_string().ends_with("line 2"));
        std::fs::write(&path, format!("{valid}\n")).unwrap();
        assert_eq!(Ledger::read(&path).unwrap().entries.len(), 1);
    }
}
