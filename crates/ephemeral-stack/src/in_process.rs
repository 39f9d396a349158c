//! A stack that the current process starts, owns and stops.

use anyhow::{Result, bail};
use lab::access::Access;
use lab::endpoints::Endpoints;
use lab::options::StackOptions;
use lab::process::Signal;
use lab::progress::Progress;
use lab::servers::Server;
use lab::signals::unless_interrupted;
use lab::stack::{AcquireOutcome, Instance, Stack};
use lab::state::Settings;

use crate::temporary;

/// A running stack, for the work in [`with_stack`].
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The addresses of the servers.
    pub endpoints: &'a Endpoints,
    /// How clients reach the servers.
    pub access: &'a Access,
    /// Shows the progress of the work.
    pub progress: &'a Progress,
    stack: &'a Stack,
    /// The settings with which the stack was started.
    settings: &'a Settings,
}

impl Running<'_> {
    /// The process id of a running server.
    pub fn pid(&self, server: Server) -> Result<i32> {
        self.stack.identity(server).map(|identity| identity.pid)
    }

    /// Stops a server with SIGTERM, waits until it ends and keeps its data.
    pub async fn stop_server(&self, server: Server) -> Result<()> {
        self.stack.stop_server(server, Signal::TERM).await
    }

    /// Replaces the process of a server by a new one with the same data, and waits until it is ready.
    pub async fn restart_server(&self, server: Server) -> Result<()> {
        self.stack.restart_server(server).await
    }

    /// Starts a separate instance of an ingest service, with `args` after the arguments of the stack's own.
    pub async fn start_instance(&self, server: Server, name: &str, args: &[String]) -> Result<Instance> {
        self.stack.start_instance(server, name, args).await
    }

    /// Starts a separate instance of the stock service that takes the place of `server`.
    pub async fn start_stock_instance(&self, server: Server, name: &str) -> Result<Instance> {
        self.stack.start_stock_instance(server, name).await
    }

    /// Stops a separate instance.
    pub async fn stop_instance(&self, instance: &Instance) -> Result<()> {
        self.stack.stop_instance(instance).await
    }

    /// Sets the additional command-line options of `servers` to those from the start plus `options`. Restarts each
    /// server whose command line changes.
    pub async fn set_additional_options(&self, servers: &[Server], options: &[String]) -> Result<()> {
        let mut extra_args = self.settings.extra_args.clone();
        for server in servers {
            let server_args = extra_args.entry(server.name().to_owned()).or_default();
            server_args.extend_from_slice(options);
        }
        self.stack.set_extra_args(extra_args).await
    }
}

/// Starts all servers, runs `work`, and stops the servers, also after an error or an interrupt. `tune` changes the
/// default settings before the start.
pub async fn with_stack<T>(
    tune: impl FnOnce(&mut Settings),
    work: impl AsyncFnOnce(Running<'_>) -> Result<T>,
) -> Result<T> {
    let (directory, stack) = temporary::create_stack()?;
    if stack.acquire().await? == AcquireOutcome::AlreadyRunning {
        bail!("a stack is already running in {}", directory.path().display());
    }
    let mut settings = StackOptions::on_free_ports().settings()?;
    tune(&mut settings);
    // The box keeps the type of the future small enough for the compiler.
    let outcome = unless_interrupted(Box::pin(async {
        stack.start(&settings).await?;
        let access = stack.access(&settings);
        work(Running {
            endpoints: &access.endpoints(),
            access: &access,
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
