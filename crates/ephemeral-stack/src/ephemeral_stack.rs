//! Real servers for a test: on free ports, in a directory of their own, gone when the test is.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use lab::endpoints::Endpoints;
use lab::process::{Identity, Signal};
use lab::progress::Progress;
use lab::project;
use lab::servers::Server;
use lab::stack::Stack;

/// How long `lab` may take to stop everything before it is killed and the rest stopped by others.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// A running stack, owned by a `lab up --until-stdin-closes` of its own: it stops when this is dropped, and also when
/// the test's process dies. After a panic its logs are kept and their place is printed.
#[derive(Debug)]
pub struct EphemeralStack {
    endpoints: Endpoints,
    stack: Stack,
    supervisor: Child,
    directory: Option<TempDir>,
    keeps_logs: bool,
}

impl EphemeralStack {
    /// Starts every server. Blocks until all are ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts only these servers.
    pub fn start_only(servers: &[Server]) -> Result<Self> {
        let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
        Self::start_with(&["--only", &names.join(",")])
    }

    /// Starts with more options of `lab up`, such as `["--deadline-ms", "1000"]`.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        let programs = project::programs()?;
        let lab = programs.join("lab");
        if !lab.exists() {
            bail!(
                "{} is missing: run `cargo build --release --workspace` first",
                lab.display()
            );
        }
        let directory = tempfile::Builder::new().prefix("dualpath-test-").tempdir()?;
        let log = directory.path().join("lab.log");
        let mut supervisor = Command::new(lab)
            .args(["up", "--until-stdin-closes", "--free-ports"])
            .args(options)
            .arg("--state-dir")
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting lab")?;
        let stdout = supervisor.stdout.take().context("lab has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            supervisor.wait()?;
            bail!(
                "the stack did not start:\n{}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
        }
        Ok(Self {
            endpoints: serde_json::from_str(&line).context("reading lab's endpoints")?,
            stack: Stack::open(directory.path(), &programs, Progress::new())?,
            supervisor,
            directory: Some(directory),
            keeps_logs: false,
        })
    }

    /// Where the servers answer.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The stack itself: its directory, its status, its settings.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The `lab` that holds the stack.
    pub fn supervisor(&self) -> &Child {
        &self.supervisor
    }

    /// Keeps the logs after the end and prints their place, as after a panic.
    pub fn keep_logs(&mut self) {
        self.keeps_logs = true;
    }

    /// The process id of a running server.
    pub fn pid(&self, server: Server) -> Result<i32> {
        self.identity(server).map(|identity| identity.pid)
    }

    /// The process of a running server, for questions after its end.
    pub fn identity(&self, server: Server) -> Result<Identity> {
        self.stack.identity(server)
    }

    /// Sends a signal and does not wait.
    pub fn signal(&self, server: Server, signal: Signal) -> Result<()> {
        self.identity(server)?.signal(signal)
    }

    /// Stops a server with SIGTERM and waits for its end; its data stays.
    pub async fn stop(&self, server: Server) -> Result<()> {
        self.stack.stop_server(server, Signal::TERM).await
    }

    /// Ends a server without warning; its data stays.
    pub async fn kill(&self, server: Server) -> Result<()> {
        self.stack.stop_server(server, Signal::KILL).await
    }

    /// Starts a stopped server again and waits until it is ready.
    pub async fn start_server(&self, server: Server) -> Result<()> {
        self.stack.start_server(server).await
    }

    /// Waits until the supervisor has ended, at most [`STOP_LIMIT`].
    fn wait_for_supervisor(&mut self) {
        drop(self.supervisor.stdin.take());
        let started = Instant::now();
        while matches!(self.supervisor.try_wait(), Ok(None)) && started.elapsed() < STOP_LIMIT {
            std::thread::sleep(Duration::from_millis(20));
        }
        // It has ended, or it hangs; either way nothing more is expected of it.
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }

    /// Stops what a supervisor that was killed has left.
    fn stop_leftovers(&self) {
        let down = Command::new(project::programs().unwrap_or_default().join("lab"))
            .args(["down", "--state-dir"])
            .arg(self.stack.dir().path())
            .stderr(Stdio::null())
            .status();
        if let Err(error) = down {
            eprintln!("lab down failed: {error}");
        }
    }
}

impl Drop for EphemeralStack {
    fn drop(&mut self) {
        self.wait_for_supervisor();
        self.stop_leftovers();
        let keeps_logs = self.keeps_logs || std::thread::panicking();
        if let Some(directory) = self.directory.take().filter(|_| keeps_logs) {
            eprintln!("the stack's logs: {}", directory.keep().join("logs").display());
        }
    }
}
