//! A stack that a `lab up` subprocess starts, owns and stops, even if the test process is killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::endpoints::Endpoints;
use lab::process::{Identity, Signal};
use lab::project;
use lab::servers::Server;
use lab::stack::Stack;
use tempfile::TempDir;

use crate::temporary;

/// The time that the supervisor has to stop the servers. Then it is killed, and `lab down` stops them.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// A running stack for a test. A `lab up --until-stdin-closes` subprocess owns it and stops it when this value is dropped
/// or the test process dies. After a panic, the logs are kept and their directory is printed.
#[derive(Debug)]
pub struct EphemeralStack {
    endpoints: Endpoints,
    stack: Stack,
    supervisor: Child,
    directory: Option<TempDir>,
    keeps_logs: bool,
}

impl EphemeralStack {
    /// Starts all servers. Blocks until they are ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts only these servers. Blocks until they are ready.
    pub fn start_only(servers: &[Server]) -> Result<Self> {
        let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
        Self::start_with(&["--only", &names.join(",")])
    }

    /// Starts a stack with additional options of `lab up`, such as `["--deadline-ms", "1000"]`. Blocks until it is ready.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        Self::start_with_environment(options, &[])
    }

    /// Like [`Self::start_with`], with additional environment variables for all servers.
    pub fn start_with_environment(options: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let lab = lab_program()?;
        if !lab.exists() {
            bail!(
                "{} is missing: run `cargo build --release --workspace` first",
                lab.display()
            );
        }
        let (directory, stack) = temporary::create_stack()?;
        let log = directory.path().join("lab.log");
        let mut supervisor = Command::new(lab)
            .args(["up", "--until-stdin-closes", "--free-ports"])
            .args(options)
            .arg("--state-dir")
            .arg(directory.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting lab up")?;
        let stdout = supervisor
            .stdout
            .take()
            .context("the standard output of lab up is missing")?;
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
            endpoints: serde_json::from_str(&line).context("parsing the endpoints that lab up printed")?,
            stack,
            supervisor,
            directory: Some(directory),
            keeps_logs: false,
        })
    }

    /// The addresses of the servers.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The stack, for its directory, status and settings.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The `lab up` process that owns the stack.
    pub fn supervisor(&self) -> &Child {
        &self.supervisor
    }

    /// Keeps the logs at the end and prints their directory, as after a panic.
    pub fn keep_logs(&mut self) {
        self.keeps_logs = true;
    }

    /// The process id of a running server.
    pub fn pid(&self, server: Server) -> Result<i32> {
        self.identity(server).map(|identity| identity.pid)
    }

    /// The process of a running server. It can be checked even after the server has ended.
    pub fn identity(&self, server: Server) -> Result<Identity> {
        self.stack.identity(server)
    }

    /// Sends a signal and returns at once.
    pub fn signal(&self, server: Server, signal: Signal) -> Result<()> {
        self.identity(server)?.signal(signal)
    }

    /// Stops a server with SIGTERM, waits until it ends and keeps its data.
    pub async fn stop(&self, server: Server) -> Result<()> {
        self.stack.stop_server(server, Signal::TERM).await
    }

    /// Kills a server with SIGKILL and keeps its data.
    pub async fn kill(&self, server: Server) -> Result<()> {
        self.stack.stop_server(server, Signal::KILL).await
    }

    /// Starts a stopped server and waits until it is ready.
    pub async fn start_server(&self, server: Server) -> Result<()> {
        self.stack.start_server(server).await
    }

    /// Ends the supervisor: closes its standard input, waits up to [`STOP_TIMEOUT`], then kills it.
    fn end_supervisor(&mut self) {
        drop(self.supervisor.stdin.take());
        let started = Instant::now();
        while matches!(self.supervisor.try_wait(), Ok(None)) && started.elapsed() < STOP_TIMEOUT {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Both calls fail if the supervisor has already ended.
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }

    /// Stops the servers that a killed supervisor has left running.
    fn stop_leftovers(&self) {
        let down = lab_program().and_then(|lab| {
            let mut command = Command::new(lab);
            command.args(["down", "--state-dir"]).arg(self.stack.dir().path());
            Ok(command.stderr(Stdio::null()).status()?)
        });
        if let Err(error) = down {
            eprintln!(
                "cannot stop the stack in {} with lab down: {error:#}",
                self.stack.dir().path().display()
            );
        }
    }
}

impl Drop for EphemeralStack {
    fn drop(&mut self) {
        self.end_supervisor();
        self.stop_leftovers();
        let keeps_logs = self.keeps_logs || std::thread::panicking();
        if let Some(directory) = self.directory.take().filter(|_| keeps_logs) {
            eprintln!("logs of the stack: {}", directory.keep().join("logs").display());
        }
    }
}

fn lab_program() -> Result<PathBuf> {
    Ok(project::programs()?.join("lab"))
}
