//! One plan on one stack: the blocks, then the books.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use proto::votes::Vote;

use crate::data::Point;
use crate::plan::Plan;
use crate::{books, experiment};
use ephemeral_stack::Running;

/// What a trial has seen.
#[derive(Debug)]
pub struct Trial {
    /// One point, or one for each value of the plan's sweep.
    pub points: Vec<Point>,
    /// Whether the stores hold exactly what was acknowledged; `Err` has the differences in words.
    pub books: Result<(), String>,
}

/// Runs `plan` with `votes` in turn, and writes a line for each vote into `ledger`.
pub async fn run(plan: &Plan, stack: Running<'_>, votes: &Arc<[Vote]>, ledger: &Path) -> Result<Trial> {
    let Running {
        endpoints, progress, ..
    } = stack;
    let sent = experiment::run(plan, stack, votes).await?;
    books::write_ledger(ledger, &sent.points, &sent.warm_up)?;
    let step = progress.step("books");
    let books = books::reconcile(endpoints, ledger).await?;
    step.done(if books.is_ok() { "equal" } else { "different" });
    Ok(Trial {
        points: sent.points,
        books,
    })
}
