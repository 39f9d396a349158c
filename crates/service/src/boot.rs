//! Start and end of every process.

use std::future::Future;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::effective_config::{Announced, EffectiveConfig};
use crate::{CommonArgs, LogFormat, Readiness, admin, checks, metrics};

/// Who a process is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The name in log lines.
    pub name: &'static str,
    /// The version in log lines.
    pub version: &'static str,
    /// Where the admin port listens unless told otherwise.
    pub default_admin: SocketAddr,
}

/// What the work of a process gets from its surroundings.
#[derive(Clone, Debug)]
pub struct Process {
    /// Where metrics are registered; has the standard process metrics.
    pub registry: Registry,
    /// Where dependencies report whether they work.
    pub readiness: Readiness,
    /// Cancelled at SIGTERM or SIGINT: stop accepting, finish what is in flight, return.
    pub shutdown: CancellationToken,
    /// How long the work may take to return after that.
    pub drain_timeout: Duration,
    configuration: Announced,
    failure: Arc<OnceLock<String>>,
    failed: CancellationToken,
}

impl Process {
    /// Says which configuration is in force: in the log, and at `/config` of the admin port.
    pub fn announce(&self, effective: EffectiveConfig) {
        effective.log();
        self.configuration.get_or_init(|| effective);
    }

    /// Something broke that only a new process can mend: drains as after SIGTERM, then ends with exit code 1 and this
    /// reason in the log. The first reason counts.
    pub fn fail(&self, reason: String) {
        self.failure.get_or_init(|| reason);
        self.failed.cancel();
    }

    /// The share of a drain in which connections may finish: something must be left for [`Self::flush_timeout`].
    pub fn connections_timeout(&self) -> Duration {
        self.drain_timeout.mul_f64(0.7)
    }

    /// The share of a drain in which what was handed over may be acknowledged.
    pub fn flush_timeout(&self) -> Duration {
        self.drain_timeout.mul_f64(0.25)
    }
}

/// Runs a process: logging, runtime, admin port and signals around `work`. The exit code is 0 when `work` returned
/// `Ok` in time, 1 otherwise.
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
        // Work that outlived the drain must not keep the process: its deadline has passed.
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
    let process = Process {
        registry: metrics::registry()?,
        readiness: Readiness::default(),
        shutdown: CancellationToken::new(),
        drain_timeout: args.drain_timeout(),
        configuration: Arc::default(),
        failure: Arc::default(),
        failed: CancellationToken::new(),
    };
    checks::register(&process.registry, process.readiness.clone())?;
    let admin_addr = args.admin_addr.unwrap_or(identity.default_admin);
    let admin_listener = TcpListener::bind(admin_addr)
        .await
        .with_context(|| format!("cannot listen on the admin port {admin_addr} (--admin-addr)"))?;
    tracing::info!(service = identity.name, version = identity.version, admin = %admin_addr, "starting");
    let admin_router = admin::router(
        process.registry.clone(),
        process.readiness.clone(),
        Arc::clone(&process.configuration),
    );
    // Served to the very end: a draining process still answers its probes.
    let admin_task = tokio::spawn(async move { axum::serve(admin_listener, admin_router).await });

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let work = work(process.clone());
    tokio::pin!(work);
    let cause = tokio::select! {
        outcome = &mut work => return outcome,
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = process.failed.cancelled() => "a failure",
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
    match process.failure.get() {
        Some(reason) => Err(anyhow::anyhow!("{reason}")),
        None => outcome,
    }
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for terminals: a log file or a collector gets plain text.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (a test) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
