//! Every vote of a run, accounted for: the driver's own log of ids, compared with the stores by the project's own tool.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use lab::consumer_reconcile;
use lab::endpoints::Endpoints;
use serde::Serialize;
use uuid::Uuid;

use crate::data::Point;
use crate::driver::load::{Outcome, Sample};
use crate::plan::Route;

#[derive(Serialize)]
struct Line {
    vote_id: Option<Uuid>,
    route: Route,
    ok: bool,
}

/// Writes a line for each vote that was sent, warm-up included.
pub fn write_ledger(path: &Path, points: &[Point], warm_up: &[(Route, Vec<Sample>)]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let measured = points
        .iter()
        .flat_map(|point| &point.arms)
        .flat_map(|data| data.blocks.iter().map(|block| (data.arm.route, &block.samples)));
    let warm_up = warm_up.iter().map(|(route, samples)| (*route, samples));
    for (route, samples) in warm_up.chain(measured) {
        for sample in samples {
            let vote_id = match sample.outcome {
                Outcome::Acknowledged(vote_id) => Some(vote_id),
                Outcome::Failed(_) => None,
            };
            let line = Line {
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

/// Whether the stores hold exactly what was acknowledged. `Err` holds the differences in words.
pub async fn reconcile(endpoints: &Endpoints, ledger: &Path) -> Result<Result<(), String>> {
    let output = consumer_reconcile::command(endpoints, ledger)?
        .arg("--tolerate-failed")
        .output()
        .await
        .context("starting consumer reconcile")?;
    match output.status.code() {
        Some(0) => Ok(Ok(())),
        Some(1) => Ok(Err(String::from_utf8_lossy(&output.stdout).into_owned())),
        _ => bail!(
            "consumer reconcile: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}
