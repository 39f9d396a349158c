//! A service process for one test: with the options of the test, without Kafka unless the options name a broker. The
//! process ends with the test.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::ports::free_address;
use lab::process::{Identity, Signal};
use lab::project;
use procfs::process::Process;
use prometheus_parse::{Scrape, Value};
use tempfile::NamedTempFile;

use crate::wait::holds_within;

/// Time limit for a process to become ready.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Time limit for a process to exit after SIGTERM.
const EXIT_TIMEOUT: Duration = Duration::from_mins(1);
const READY_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The service, which also selects the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// `ingest-rest`.
    Rest,
    /// `ingest-grpc serve`.
    Grpc,
    /// `ingest-grpc bridge`.
    Bridge,
}

/// A running service process.
#[derive(Debug)]
pub struct ServiceProcess {
    kind: ServiceKind,
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: NamedTempFile,
}

impl ServiceKind {
    /// The two services that write to Kafka. The bridge forwards to `ingest-grpc` instead.
    pub const KAFKA_PRODUCERS: [Self; 2] = [Self::Rest, Self::Grpc];

    const fn command(self) -> &'static [&'static str] {
        match self {
            Self::Rest => &["ingest-rest"],
            Self::Grpc => &["ingest-grpc", "serve"],
            Self::Bridge => &["ingest-grpc", "bridge"],
        }
    }
}

impl ServiceProcess {
    /// Starts a process with these options and waits until it is ready.
    pub async fn start(kind: ServiceKind, options: &[&str]) -> Result<Self> {
        Self::start_with_environment(kind, options, &[]).await
    }

    /// Like [`Self::start`], with additional environment variables.
    pub async fn start_with_environment(
        kind: ServiceKind,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let service = Self::spawn_with_environment(kind, options, environment, free_address()?)?;
        service.wait_until_ready().await?;
        Ok(service)
    }

    /// Starts a process that discards its votes, and waits until it is ready.
    pub async fn start_without_kafka(kind: ServiceKind, options: &[&str]) -> Result<Self> {
        Self::start(kind, &[&["--sink", "null"], options].concat()).await
    }

    /// Starts a process that listens on `address`, and returns at once.
    pub fn spawn(kind: ServiceKind, options: &[&str], address: SocketAddr) -> Result<Self> {
        Self::spawn_with_environment(kind, options, &[], address)
    }

    /// Like [`Self::spawn`], with additional environment variables.
    pub fn spawn_with_environment(
        kind: ServiceKind,
        options: &[&str],
        environment: &[(&str, &str)],
        address: SocketAddr,
    ) -> Result<Self> {
        let admin = free_address()?;
        let log = NamedTempFile::new()?;
        let [program, subcommand @ ..] = kind.command() else {
            bail!("{kind:?} has no program");
        };
        let child = Command::new(project::programs()?.join(program))
            .args(subcommand)
            .args([
                "--listen",
                &address.to_string(),
                "--admin-addr",
                &admin.to_string(),
            ])
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log.path())?)
            .spawn()
            .with_context(|| format!("starting {program}: run `cargo build --release --workspace` first"))?;
        Ok(Self {
            kind,
            child,
            address,
            admin,
            log,
        })
    }

    /// The service that this process runs.
    pub fn kind(&self) -> ServiceKind {
        self.kind
    }

    /// The address that takes votes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The content of the log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// The highest resident memory of the process so far (VmHWM), in MiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = Process::new(i32::try_from(self.child.id())?)?.status()?;
        let kibibytes = status.vmhwm.context("/proc shows no VmHWM for the process")?;
        Ok(kibibytes / 1024)
    }

    /// Whether the process is running.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the process and waits until it has exited.
    pub fn kill(&mut self) {
        // Both calls fail only if the process has already exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits until the process has exited.
    pub async fn terminate(self) -> Result<()> {
        let identity =
            Identity::of(i32::try_from(self.child.id())?).context("the process has already exited")?;
        identity.signal(Signal::TERM)?;
        if !identity.wait(EXIT_TIMEOUT).await {
            bail!(
                "{:?} did not exit within {EXIT_TIMEOUT:?} after SIGTERM:\n{}",
                self.kind,
                self.log()
            );
        }
        Ok(())
    }

    /// The sum of a metric's samples that have all of `labels`, such as `("outcome", "cancelled")`.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        let text = reqwest::get(format!("http://{}/metrics", self.admin))
            .await?
            .text()
            .await?;
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
        let values = scrape.samples.iter().filter_map(|sample| {
            let has_labels = labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(value));
            match sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                    (sample.metric == name && has_labels).then_some(value)
                }
                Value::Histogram(_) | Value::Summary(_) => None,
            }
        });
        Ok(values.sum())
    }

    /// The number of votes with this outcome. A batch that is rejected as a whole counts once.
    pub async fn count_by_outcome(&self, outcome: &str) -> Result<f64> {
        self.metric("ingest_request_duration_seconds_count", &[("outcome", outcome)])
            .await
    }

    /// Whether `/readyz` reports that the process is ready.
    pub async fn is_ready(&self) -> bool {
        let response = reqwest::get(format!("http://{}/readyz", self.admin)).await;
        response.is_ok_and(|response| response.status() == 200)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        if !holds_within(START_TIMEOUT, READY_POLL_INTERVAL, async || self.is_ready().await).await {
            bail!(
                "{:?} did not become ready within {START_TIMEOUT:?}:\n{}",
                self.kind,
                self.log()
            );
        }
        Ok(())
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{:?}:\n{}", self.kind, self.log());
        }
    }
}
