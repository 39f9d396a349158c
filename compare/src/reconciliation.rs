//! Reconciles the votes of a run: writes the load generator's ledger of vote ids, and compares it with the stores by
//! `consumer reconcile`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use experiment_model::sample::Outcome;
use experiment_model::variant::Route;
use lab::access::Access;
use lab::consumer_reconcile;
use serde::Serialize;
use uuid::Uuid;

use crate::experiment::Measurements;

#[derive(Serialize)]
struct LedgerLine {
    vote_id: Option<Uuid>,
    route: Route,
    ok: bool,
}

/// Writes a line for each vote that was sent, warm-up included.
pub fn write_ledger(path: &Path, measurements: &Measurements) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let measured = measurements
        .points
        .iter()
        .flat_map(|point| &point.variants)
        .flat_map(|data| {
            let blocks = data.blocks.iter().chain(&data.cpu_blocks);
            blocks.map(|block| (data.variant.route, &block.samples))
        });
    let unanalysed = measurements
        .unanalysed
        .iter()
        .map(|(route, samples)| (*route, samples));
    for (route, samples) in unanalysed.chain(measured) {
        for sample in samples {
            let vote_id = match sample.outcome {
                Outcome::Acknowledged(vote_id) => Some(vote_id),
                Outcome::Failed(_) => None,
            };
            let line = LedgerLine {
                vote_id,
                route,
                ok: vote_id.is_some(),
            };
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
    }
    file.flush().context("writing the ledger")
}

/// Whether each acknowledged vote is in the stores exactly once, together with no other votes than those whose send
/// failed. The inner `Err` describes the differences.
pub async fn reconcile(access: &Access, ledger: &Path) -> Result<Result<(), String>> {
    let output = consumer_reconcile::command(access, ledger)?
        .arg("--tolerate-failed")
        .output()
        .await
        .context("starting consumer reconcile")?;
    match output.status.code() {
        Some(0) => Ok(Ok(())),
        Some(1) => Ok(Err(String::from_utf8_lossy(&output.stdout).into_owned())),
        _ => bail!(
            "consumer reconcile failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}
