//! A trial: one experiment (the blocks of a plan on a stack), then the reconciliation. `compare run` writes the report of
//! one trial.

use std::path::Path;
use std::sync::Arc;

use analysis::decision_rule::DecisionRule;
use analysis::observations::Point;
use anyhow::Result;
use ephemeral_stack::Running;
use experiment_model::plan::Plan;
use proto::votes::Vote;

use crate::{experiment, reconciliation};

/// The result of a trial.
#[derive(Debug)]
pub struct Trial {
    /// One set of blocks for each value of the plan's sweep, or a single one without a sweep.
    pub points: Vec<Point>,
    /// Whether the stores have each acknowledged vote exactly once. They may also have votes whose send failed, but no
    /// others. `Err` describes the differences.
    pub reconciliation: Result<(), String>,
}

/// Runs `plan`, repeats `votes` as often as needed, and writes a line for each sent vote to the file `ledger`. With
/// a `rule`, the run stops when everything is decided. `usable_rate` is the highest rate of a search.
pub async fn run(
    plan: &Plan,
    stack: Running<'_>,
    votes: &Arc<[Vote]>,
    ledger: &Path,
    rule: Option<&DecisionRule>,
    usable_rate: f64,
) -> Result<Trial> {
    let Running { access, progress, .. } = stack;
    let measurements = experiment::run(plan, stack, votes, rule, usable_rate).await?;
    reconciliation::write_ledger(ledger, &measurements)?;
    let step = progress.step("reconciliation");
    let reconciliation = reconciliation::reconcile(access, ledger).await?;
    step.done(if reconciliation.is_ok() {
        "the counts reconcile"
    } else {
        "the counts differ"
    });
    Ok(Trial {
        points: measurements.points,
        reconciliation,
    })
}
