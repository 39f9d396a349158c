//! The ledger of the senders: one JSON line for each vote, as Locust and `compare` write them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use uuid::Uuid;
use vote::Route;

use super::by_route::ByRoute;

/// One vote as its sender reports it; further fields are ignored.
#[derive(Debug, Deserialize)]
struct LedgerLine {
    vote_id: Option<Uuid>,
    route: Option<String>,
    ok: bool,
}

/// All votes that were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Votes whose line names a route. Locust names the route that responded, `compare` the route of every vote.
    pub(crate) sent: ByRoute<u64>,
    /// Votes that each route acknowledged.
    pub(crate) acknowledged: ByRoute<u64>,
    /// Votes whose line names no route: Locust had no response.
    pub(crate) unanswered: u64,
    /// The number of receipts of each vote, by route.
    pub(crate) receipts: HashMap<Uuid, ByRoute<u32>>,
    /// Votes without a receipt whose sender chose the id. Another attempt may have a receipt.
    pub(crate) failed: HashSet<Uuid>,
    /// Votes without a receipt and without an id.
    pub(crate) failed_without_id: u64,
    /// Receipts without a vote id or without a route, each described by a sentence.
    pub(crate) invalid: Vec<String>,
}

impl Ledger {
    /// Reads JSON lines. A line that cannot be parsed is an error, because it may be a vote.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut ledger = Self::default();
        for path in paths {
            let file = File::open(path).with_context(|| format!("opening the ledger {}", path.display()))?;
            for (index, line) in BufReader::new(file).lines().enumerate() {
                let place = || format!("{}, line {}", path.display(), index + 1);
                ledger.add(&line?, place).with_context(place)?;
            }
        }
        Ok(ledger)
    }

    fn add(&mut self, line: &str, place: impl Fn() -> String) -> Result<()> {
        let LedgerLine { vote_id, route, ok } = serde_json::from_str(line)?;
        let route: Option<Route> = route
            .map(|name| name.parse())
            .transpose()
            .map_err(anyhow::Error::msg)?;
        match route {
            Some(route) => self.sent[route] += 1,
            None => self.unanswered += 1,
        }
        match (ok, vote_id, route) {
            (false, Some(id), _) => {
                self.failed.insert(id);
            }
            (false, None, _) => self.failed_without_id += 1,
            (true, Some(id), Some(route)) => {
                self.acknowledged[route] += 1;
                self.receipts.entry(id).or_default()[route] += 1;
            }
            (true, ..) => {
                let place = place();
                self.invalid
                    .push(format!("{place}: a receipt without vote_id or without route"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(lines: &[&str]) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for line in lines {
            ledger.add(line, || "a line".to_owned())?;
        }
        Ok(ledger)
    }

    #[test]
    fn lines_are_counted_by_route_and_receipts_by_id() {
        let id = Uuid::from_u128(1);
        let receipt = format!(r#"{{"vote_id":"{id}","route":"rest","ok":true,"latency_us":5}}"#);
        let ledger = ledger(&[
            &receipt,
            &receipt,
            r#"{"vote_id":null,"route":"rest","ok":false,"status":"429"}"#,
            r#"{"vote_id":null,"route":null,"ok":false}"#,
        ])
        .unwrap();
        assert_eq!(ledger.sent[Route::Rest], 3);
        assert_eq!(ledger.acknowledged[Route::Rest], 2);
        assert_eq!(ledger.receipts[&id][Route::Rest], 2);
        assert_eq!((ledger.failed.len(), ledger.failed_without_id), (0, 2));
        assert!(ledger.invalid.is_empty());
    }

    #[test]
    fn receipt_without_vote_id_or_route_is_invalid() {
        let incomplete = [
            r#"{"vote_id":null,"route":"rest","ok":true}"#,
            r#"{"vote_id":"00000000-0000-0000-0000-000000000001","route":null,"ok":true}"#,
        ];
        assert_eq!(ledger(&incomplete).unwrap().invalid.len(), 2);
        for broken in ["{", r#"{"vote_id":null,"route":"unknown","ok":true}"#] {
            assert!(ledger(&[broken]).is_err(), "{broken}");
        }
    }
}
