//! What a stack has running, on disk: whoever comes next can see it and end it, also after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::ports::{Port, Ports};
use crate::process::Identity;
use crate::servers::Server;

/// What a stack was asked to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The servers that belong to it, in start order.
    pub servers: Vec<Server>,
    /// Their ports.
    pub ports: Ports,
    /// Percent of the split path that goes to `bridge`, 0 to 100.
    pub weight: u8,
    /// Passed to the ingest services where given: milliseconds a vote may take.
    pub deadline_ms: Option<u64>,
    /// Passed to the ingest services where given: votes in flight before they refuse.
    pub max_in_flight: Option<u32>,
    /// Passed to servers besides their own command lines, by server name: what experiments vary. No option of `lab`.
    #[serde(default)]
    pub extra_args: BTreeMap<String, Vec<String>>,
    /// Partitions of the topic `votes` where it is made, if not the usual number. No option of `lab`.
    #[serde(default)]
    pub partitions: Option<u16>,
}

/// A process that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerProcess {
    /// The server's name, or that of the load driver.
    pub name: String,
    /// Who it is.
    #[serde(flatten)]
    pub identity: Identity,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables added to its environment.
    pub env: BTreeMap<String, String>,
    /// Its log.
    pub log: PathBuf,
    /// The ports it listens on.
    pub ports: BTreeMap<Port, u16>,
}

/// The content of `state.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The `lab` that holds the stack in the foreground or is still starting it; `None` once it runs detached.
    pub owner: Option<Identity>,
    /// What was asked for.
    pub settings: Settings,
    /// What was started, in start order.
    pub processes: Vec<ServerProcess>,
}

impl State {
    /// The record of a process that was started and not stopped since.
    pub fn process(&self, name: &str) -> Option<&ServerProcess> {
        self.processes.iter().find(|record| record.name == name)
    }
}

/// A state directory: `state.json`, `data/`, `logs/` and `config/`.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Creates the directory where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path.join("logs")).with_context(|| format!("creating {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("finding {}", path.display()))?;
        Ok(Self { path })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log of a process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Where all logs lie.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The data directory of a server, created where missing.
    pub fn data(&self, server: Server) -> Result<PathBuf> {
        create(self.path.join("data").join(server.name()))
    }

    /// The directory of a server's rendered configuration, created where missing.
    pub fn config(&self, server: Server) -> Result<PathBuf> {
        create(self.path.join("config").join(server.name()))
    }

    /// The state, or `None` where nothing was started.
    pub fn load(&self) -> Result<Option<State>> {
        let file = self.file();
        match std::fs::read(&file) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes)
                    .with_context(|| format!("reading {} (no state of this version?)", file.display()))?;
                Ok(Some(state))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Changes the state under the directory's lock; on disk it is either the old or the new one.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let lock = File::create(self.path.join("lock")).context("creating the state directory's lock")?;
        lock.lock().context("locking the state directory")?;
        let mut state = self.load()?.unwrap_or_default();
        let outcome = change(&mut state)?;
        let temporary = self.path.join("state.json.new");
        std::fs::write(&temporary, serde_json::to_vec_pretty(&state)?)
            .with_context(|| format!("writing {}", temporary.display()))?;
        std::fs::rename(&temporary, self.file()).context("replacing state.json")?;
        Ok(outcome)
    }

    /// Removes everything but the logs.
    pub fn clear(&self) -> Result<()> {
        for part in ["data", "config"] {
            absent(std::fs::remove_dir_all(self.path.join(part)))
                .with_context(|| format!("removing {part} in {}", self.path.display()))?;
        }
        absent(std::fs::remove_file(self.file())).context("removing state.json")
    }

    /// Empties the logs of an earlier run.
    pub fn clear_logs(&self) -> Result<()> {
        absent(std::fs::remove_dir_all(self.logs())).context("removing old logs")?;
        create(self.logs()).map(|_| ())
    }

    fn file(&self) -> PathBuf {
        self.path.join("state.json")
    }
}

fn create(path: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    Ok(path)
}

/// What is to be removed may be gone already.
fn absent(outcome: std::io::Result<()>) -> std::io::Result<()> {
    match outcome {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
