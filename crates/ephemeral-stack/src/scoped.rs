//! Runs one piece of work against a stack of real servers, in this process, and stops the stack afterwards.

use anyhow::{Result, bail};
use clap::Parser;
use lab::endpoints::Endpoints;
use lab::options::StackOptions;
use lab::progress::Progress;
use lab::project;
use lab::servers::Server;
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
    stack: &'a Stack,
    /// How it was started.
    settings: &'a Settings,
}

impl Running<'_> {
    /// The process id of a server.
    pub fn pid(&self, server: Server) -> Result<i32> {
        self.stack.identity(server).map(|identity| identity.pid)
    }

    /// Adds `options` to the command lines of `servers`, and restarts each server whose command line changes.
    pub async fn add_options(&self, servers: &[Server], options: &[String]) -> Result<()> {
        let mut extra_args = self.settings.extra_args.clone();
        for server in servers {
            let of_server = extra_args.entry(server.name().to_owned()).or_default();
            of_server.extend_from_slice(options);
        }
        self.stack.set_extra_args(extra_args).await
    }
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
    // Boxed: what a run holds is more than the compiler looks through at once.
    let outcome = unless_interrupted(Box::pin(async {
        stack.start(&settings).await?;
        let endpoints = Endpoints::new(&settings.ports);
        work(Running {
            endpoints: &endpoints,
            progress: stack.progress(),
            stack: &stack,
            settings: &settings,
        })
        .await
    }))
    .await;
    stack.stop().await?;
    outcome
}
