//! Operating-system processes: how one is started, identified, signalled and stopped.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use procfs::process::{Process, all_processes};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use serde::{Deserialize, Serialize};

pub use rustix::process::Signal;

/// The environment variable of every process of a stack; its value is the stack's state directory.
const STATE_DIR_VARIABLE: &str = "DUALPATH_LAB_STATE";

/// Identifies a process uniquely. The pid alone does not: the kernel may reuse it after the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// The start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_time: u64,
}

impl Identity {
    /// The process that has this pid now; `None` if there is none or it has ended.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        let is_zombie = matches!(stat.state, 'Z' | 'X');
        // A killed process keeps its ports and files until its last thread has ended.
        let ended = is_zombie && stat.num_threads <= 1;
        (!ended).then_some(Self {
            pid,
            start_time: stat.starttime,
        })
    }

    /// The current process.
    pub fn current() -> Result<Self> {
        Self::of(std::process::id().cast_signed()).context("/proc does not show this process")
    }

    /// Whether the process is still running; a zombie is not.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal. Does nothing if the process has ended.
    pub fn signal(self, signal: Signal) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(());
        };
        // The descriptor refers to one process, so a reused pid cannot receive the signal.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(());
        };
        if self.is_alive() {
            pidfd_send_signal(&handle, signal)
                .with_context(|| format!("sending a signal to process {}", self.pid))?;
        }
        Ok(())
    }

    /// Sends `signal`, and SIGKILL if the process has not ended within `timeout`. Returns false if SIGKILL was necessary.
    pub async fn stop(self, signal: Signal, timeout: Duration) -> Result<bool> {
        self.signal(signal)?;
        let ended_in_time = self.wait(timeout).await;
        if !ended_in_time {
            self.signal(Signal::KILL)?;
            self.wait(Duration::from_secs(5)).await;
        }
        self.reap();
        Ok(ended_in_time)
    }

    /// Waits up to `timeout` until the process ends. Returns whether it has ended.
    pub async fn wait(self, timeout: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() >= timeout {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Removes the ended process from the process table, if this process started it. Otherwise it would stay there as a
    /// zombie until this process ends.
    fn reap(self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // An error means that another process started it.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// The program, arguments and environment of a process.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// The path of the program, or its name on `PATH`.
    pub program: PathBuf,
    /// The arguments.
    pub args: Vec<String>,
    /// Variables that are added to the inherited environment.
    pub env: BTreeMap<String, String>,
}

impl ProcessSpec {
    /// A program without arguments and variables.
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

    /// Adds an environment variable.
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

    /// Starts the process in a new session, so that it receives no signal from Ctrl-C or a closed terminal. Appends its
    /// standard output and standard error to `log`.
    pub fn spawn(&self, state_dir: &Path, log: &Path) -> Result<Identity> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        // setsid(1) replaces its process image with the program, so the pid stays the same.
        let child = Command::new("setsid")
            .arg(&self.program)
            .args(&self.args)
            .envs(&self.env)
            .env(STATE_DIR_VARIABLE, state_dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        Identity::of(child.id().cast_signed()).with_context(|| {
            format!(
                "{} ended immediately after its start: read its log {}",
                self.program.display(),
                log.display()
            )
        })
    }
}

/// The running processes that were started for this state directory, including those that `state.json` does not list.
pub fn find_by_state_dir(state_dir: &Path) -> Vec<Identity> {
    let has_state_dir = |process: &Process| {
        process.environ().is_ok_and(|variables| {
            variables
                .get(OsStr::new(STATE_DIR_VARIABLE))
                .is_some_and(|value| value == state_dir.as_os_str())
        })
    };
    let Ok(processes) = all_processes() else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter(has_state_dir)
        .filter_map(|process| Identity::of(process.pid()))
        .collect()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[tokio::test]
    async fn stopped_process_is_no_zombie() -> Result<()> {
        let directory = tempdir()?;
        let spec = ProcessSpec::new("sleep").args(["60"]);
        let identity = spec.spawn(directory.path(), &directory.path().join("log"))?;
        assert!(identity.stop(Signal::TERM, Duration::from_secs(5)).await?);
        assert!(!Path::new(&format!("/proc/{}", identity.pid)).exists());
        Ok(())
    }
}
