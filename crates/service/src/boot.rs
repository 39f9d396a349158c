//! The start and the end of every process.

use std::future::Future;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::admin_port::AdminPort;
use crate::args::{CommonArgs, LogFormat};
use crate::process::Process;
use crate::traces::Traces;
use crate::{admin, checks, metrics};

/// How long the export of the last spans may take after a drain. A collector that does not respond must not delay the exit
/// of a process beyond the grace period of its supervisor.
const TRACES_TIMEOUT: Duration = Duration::from_secs(1);

/// The name, version and default admin address of a process.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The name in log lines.
    pub name: &'static str,
    /// The version in log lines.
    pub version: &'static str,
    /// The address of the admin port without `--admin-addr`.
    pub default_admin: SocketAddr,
}

/// Starts logging, the runtime, the admin port and signal handling, then runs `work`. The exit code is 0 if `work` returns
/// `Ok` before the drain deadline, 1 otherwise.
pub fn run<F, W>(identity: Identity, args: &CommonArgs, work: F) -> ExitCode
where
    F: FnOnce(Process) -> W,
    W: Future<Output = anyhow::Result<()>>,
{
    start_logging(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.worker_threads)
        .enable_all()
        .build()
        .context("cannot start the async runtime");
    let outcome = runtime.and_then(|runtime| {
        let outcome = runtime.block_on(supervise(identity, args, work));
        // Work that still runs after the drain deadline must not block the exit.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => {
            tracing::info!(service = identity.name, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(service = identity.name, error = format!("{error:#}"), "failed");
            ExitCode::FAILURE
        }
    }
}

async fn supervise<F, W>(identity: Identity, args: &CommonArgs, work: F) -> anyhow::Result<()>
where
    F: FnOnce(Process) -> W,
    W: Future<Output = anyhow::Result<()>>,
{
    let traces = Traces::from_env(identity.name, identity.version)?;
    let process = Process::new(metrics::registry()?, args.drain_timeout(), traces.clone());
    let outcome = run_until_drained(identity, args, work, process).await;
    traces.shut_down(TRACES_TIMEOUT).await;
    outcome
}

async fn run_until_drained<F, W>(
    identity: Identity,
    args: &CommonArgs,
    work: F,
    process: Process,
) -> anyhow::Result<()>
where
    F: FnOnce(Process) -> W,
    W: Future<Output = anyhow::Result<()>>,
{
    checks::register(&process.registry, process.readiness.clone())?;
    let admin_addr = args.admin_addr.unwrap_or(identity.default_admin);
    let admin_port = AdminPort::bind(admin_addr, &args.admin_tls).await?;
    tracing::info!(service = identity.name, version = identity.version, admin = %admin_addr, "starting");
    let admin_router = admin::router(
        process.registry.clone(),
        process.readiness.clone(),
        process.configuration(),
    );
    let admin_task = tokio::spawn(admin_port.serve(admin_router));

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let work = work(process.clone());
    tokio::pin!(work);
    let cause = tokio::select! {
        outcome = &mut work => return outcome,
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = process.failed() => "a failure",
    };
    tracing::info!(cause, timeout = ?process.drain_timeout, "draining");
    process.readiness.start_draining();
    process.shutdown.cancel();
    let outcome = tokio::time::timeout(process.drain_timeout, work)
        .await
        .unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "the drain took longer than {:?}",
                process.drain_timeout
            ))
        });
    admin_task.abort();
    match process.failure() {
        Some(reason) => Err(anyhow::anyhow!("{reason}")),
        None => outcome,
    }
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for terminals only: log files and collectors get plain text.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // If a test starts a second process in the same binary, the first subscriber stays.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
