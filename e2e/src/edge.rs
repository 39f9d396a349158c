//! One ingest process of a test's own: with the options that the test needs, without a broker unless it names one, and
//! gone when the test is.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::ports::free_address;
use lab::process::{Identity, Signal};
use lab::project;
use tempfile::NamedTempFile;

/// How long a process may take until it is ready.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_mins(1);

/// Which process, and so which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ingest-rest`.
    Rest,
    /// `ingest-grpc serve`.
    Grpc,
    /// `ingest-grpc bridge`.
    Bridge,
}

/// A running ingest process.
#[derive(Debug)]
pub struct Edge {
    kind: Kind,
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: NamedTempFile,
}

impl Kind {
    /// The two edges that write to Kafka themselves.
    pub const EDGES: [Self; 2] = [Self::Rest, Self::Grpc];

    const fn command(self) -> &'static [&'static str] {
        match self {
            Self::Rest => &["ingest-rest"],
            Self::Grpc => &["ingest-grpc", "serve"],
            Self::Bridge => &["ingest-grpc", "bridge"],
        }
    }
}

impl Edge {
    /// Starts a process with these options and waits until it is ready.
    pub async fn start(kind: Kind, options: &[&str]) -> Result<Self> {
        let edge = Self::spawn(kind, options, free_address()?)?;
        edge.wait_until_ready().await?;
        Ok(edge)
    }

    /// Starts a process whose votes go nowhere, and waits until it is ready.
    pub async fn start_without_kafka(kind: Kind, options: &[&str]) -> Result<Self> {
        Self::start(kind, &[&["--sink", "null"], options].concat()).await
    }

    /// Starts a process that listens on `address`, and does not wait.
    pub fn spawn(kind: Kind, options: &[&str], address: SocketAddr) -> Result<Self> {
        let admin = free_address()?;
        let log = NamedTempFile::new()?;
        let [program, subcommand @ ..] = kind.command() else {
            bail!("no program");
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

    /// Which process it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it takes votes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// The most memory that it has had resident so far, in MiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kilobytes: u64 = kilobytes.context("no VmHWM")?.trim().parse()?;
        Ok(kilobytes / 1024)
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it without warning and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub async fn end(mut self) -> Result<()> {
        let identity = Identity::of(i32::try_from(self.child.id())?).context("it has ended")?;
        identity.signal(Signal::TERM)?;
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() > END_LIMIT {
                bail!("{:?} does not end:\n{}", self.kind, self.log());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The sum of a metric's samples whose line contains all of `labels`, such as `outcome="cancelled"`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        let text = reqwest::get(format!("http://{}/metrics", self.admin))
            .await?
            .text()
            .await?;
        let samples = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_wanted = rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label));
            is_wanted.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        Ok(samples.sum())
    }

    /// Votes that ended this way.
    pub async fn outcomes(&self, outcome: &str) -> Result<f64> {
        let label = format!("outcome=\"{outcome}\"");
        self.metric("ingest_request_duration_seconds_count", &[&label])
            .await
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("http://{}/readyz", self.admin)).await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            if self.is_ready().await {
                return Ok(());
            }
            if started.elapsed() > START_LIMIT {
                bail!("{:?} did not become ready:\n{}", self.kind, self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{:?}:\n{}", self.kind, self.log());
        }
    }
}
