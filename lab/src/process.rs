//! One operating-system process: who it is, whether it still runs, and how it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

pub use rustix::process::Signal;

/// Every process of a stack carries this variable; its value is the stack's state directory.
const MARKER: &str = "DUALPATH_LAB_STATE";

/// A process for good: a pid alone may since have been given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_time: u64,
}

impl Identity {
    /// The process that has this pid now, unless it has ended.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command name is in parentheses and may itself hold spaces and parentheses.
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        let threads: u32 = fields.nth(16)?.parse().ok()?;
        let start_time = fields.nth(1)?.parse().ok()?;
        // While other threads of a killed process still end, its ports are taken and its files open.
        let ended = is_zombie && threads <= 1;
        (!ended).then_some(Self { pid, start_time })
    }

    /// This very process.
    pub fn own() -> Result<Self> {
        Self::of(std::process::id().cast_signed()).context("/proc does not show this process")
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal; nothing happens where the process has ended.
    pub fn signal(self, signal: Signal) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(());
        };
        // The descriptor holds the process: between the check and the signal the pid cannot pass to another.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        if self.is_alive() {
            pidfd_send_signal(&handle, signal).with_context(|| format!("signalling process {}", self.pid))?;
        }
        Ok(())
    }

    /// Sends `signal`, waits up to `grace` for the end, then kills. Returns whether it ended by itself.
    pub async fn stop(self, signal: Signal, grace: Duration) -> Result<bool> {
        self.signal(signal)?;
        if self.wait(grace).await {
            return Ok(true);
        }
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(5)).await;
        Ok(false)
    }

    /// Waits for the end, at most `limit`; returns whether it came.
    pub async fn wait(self, limit: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() >= limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program's path, or its name on `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: BTreeMap<String, String>,
}

impl Launch {
    /// A program without arguments yet.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: ToString>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.to_string()));
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// Program and arguments as one list.
    pub fn command(&self) -> Vec<String> {
        std::iter::once(self.program.display().to_string())
            .chain(self.args.iter().cloned())
            .collect()
    }

    /// Starts it in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it, with both output
    /// streams appended to `log`.
    pub fn spawn(&self, state_dir: &Path, log: &Path) -> Result<Identity> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        // setsid(1) replaces itself by the program: the pid stays.
        let child = Command::new("setsid")
            .arg(&self.program)
            .args(&self.args)
            .envs(&self.env)
            .env(MARKER, state_dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        Identity::of(child.id().cast_signed()).with_context(|| {
            format!(
                "{} ended at once; its log is {}",
                self.program.display(),
                log.display()
            )
        })
    }
}

/// Processes that were started for this state directory and still run, whether or not a record of them was written.
pub fn marked(state_dir: &Path) -> Vec<Identity> {
    let marker = format!("{MARKER}={}", state_dir.display());
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == marker.as_bytes())
            })
        })
        .filter_map(Identity::of)
        .collect()
}
