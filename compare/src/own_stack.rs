//! A stack that exists for a piece of work: on free ports, in a directory of its own, gone afterwards.

use anyhow::{Result, bail};
use clap::Parser;
use lab::endpoints::Endpoints;
use lab::options::StackOptions;
use lab::progress::Progress;
use lab::project;
use lab::signals::unless_interrupted;
use lab::stack::{Claim, Stack};
use lab::state::Settings;

#[derive(Parser)]
struct NoOptions {
    #[command(flatten)]
    stack: StackOptions,
}

/// A running stack, as its user sees it.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Where its services answer.
    pub endpoints: &'a Endpoints,
    /// Where to tell how far the work is.
    pub progress: &'a Progress,
}

/// Starts a stack, does `work` with it and stops it, whatever came of the work. `tune` changes the usual settings.
pub async fn with_stack<T>(
    tune: impl FnOnce(&mut Settings),
    work: impl AsyncFnOnce(Running<'_>) -> Result<T>,
) -> Result<T> {
    let directory = tempfile::Builder::new().prefix("dualpath-compare-").tempdir()?;
    let path = directory.path().join("stack");
    let stack = Stack::open(&path, &project::programs()?, Progress::new())?;
    if stack.claim().await? == Claim::Running {
        bail!("a stack runs already in {}", path.display());
    }
    let mut settings = NoOptions::try_parse_from(["compare", "--free-ports"])?
        .stack
        .settings()?;
    tune(&mut settings);
    let outcome = unless_interrupted(async {
        stack.start(&settings).await?;
        let endpoints = Endpoints::new(&settings.ports);
        work(Running {
            endpoints: &endpoints,
            progress: stack.progress(),
        })
        .await
    })
    .await;
    stack.stop().await?;
    outcome
}
