//! The state of a stack on disk. With it, a later command can show and stop the stack, even after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::ports::{Port, Ports};
use crate::process::Identity;
use crate::secrets::Secrets;
use crate::servers::Server;

/// The configuration of a stack.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The servers of the stack, in start order.
    pub servers: Vec<Server>,
    /// Their ports.
    pub ports: Ports,
    /// Percent of the split path that goes to `bridge`, 0 to 100.
    pub weight: u8,
    /// The deadline of a vote in milliseconds; `None` leaves the default of the ingest services.
    pub deadline_ms: Option<u64>,
    /// The limit of votes in flight for each route; `None` leaves the default of the ingest services.
    pub max_in_flight: Option<u32>,
    /// The file with the bands and albums that can be voted for; `None` for all.
    #[serde(default)]
    pub catalogue: Option<PathBuf>,
    /// Whether all connections have TLS and a login.
    #[serde(default)]
    pub secure: bool,
    /// Additional arguments for the command lines of servers, by server name. Only experiments set them; `lab` has no
    /// option for them.
    #[serde(default)]
    pub extra_args: BTreeMap<String, Vec<String>>,
    /// The number of partitions when the topic `votes` is created; `None` means the default. Only experiments set it;
    /// `lab` has no option for it.
    #[serde(default)]
    pub partitions: Option<u16>,
}

impl Settings {
    /// Checks that `extra_args` contains only names of servers: arguments for any other name would have no effect.
    pub fn validate(&self) -> Result<()> {
        for name in self.extra_args.keys() {
            if !Server::all().iter().any(|server| server.name() == name) {
                bail!(
                    "cannot add arguments to the server `{name}`: there is no server with this name; the servers are {}",
                    Server::all()
                        .iter()
                        .map(|server| server.name())
                        .collect::<Vec<_>>()
                        .join(", ")
                );
            }
        }
        Ok(())
    }
}

/// A process that was started for the stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerProcess {
    /// The name of the server, or of Locust.
    pub name: String,
    /// Its pid and start time.
    #[serde(flatten)]
    pub identity: Identity,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables that were added to its environment.
    pub env: BTreeMap<String, String>,
    /// Its log file.
    pub log: PathBuf,
    /// The ports it listens on.
    pub ports: BTreeMap<Port, u16>,
}

/// The content of `state.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The `lab` process that starts the stack or runs it in the foreground; `None` if the stack runs detached.
    pub owner: Option<Identity>,
    /// The configuration of the stack.
    pub settings: Settings,
    /// The started processes, in start order.
    pub processes: Vec<ServerProcess>,
}

impl State {
    /// The process with this name, if it was started and not stopped since. It may have ended by itself.
    pub fn process(&self, name: &str) -> Option<&ServerProcess> {
        self.processes.iter().find(|process| process.name == name)
    }
}

/// A state directory: `state.json`, `data/`, `logs/`, `config/`, and `secrets/` of a secured stack.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens the directory; creates it if it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path.join("logs")).with_context(|| format!("creating {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("resolving {}", path.display()))?;
        Ok(Self { path })
    }

    /// The absolute path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log file of a process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// The directory of all logs.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The data directory of a server; created if it is missing.
    pub fn data(&self, server: Server) -> Result<PathBuf> {
        create(self.path.join("data").join(server.name()))
    }

    /// The directory of a server's rendered configuration; created if it is missing.
    pub fn config(&self, server: Server) -> Result<PathBuf> {
        create(self.path.join("config").join(server.name()))
    }

    /// The secrets of a secured stack.
    pub fn secrets(&self) -> Secrets {
        Secrets::at(self.path.join("secrets"))
    }

    /// Reads the state; `None` if nothing was started.
    pub fn load(&self) -> Result<Option<State>> {
        let file = self.file();
        match std::fs::read(&file) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes)
                    .with_context(|| format!("reading {}: another version of lab may have written it; stop the stack with that version", file.display()))?;
                Ok(Some(state))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Changes the state under the directory's lock. The file is replaced atomically.
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

    /// Removes the state, the data, the configuration and the secrets; keeps the logs.
    pub fn clear(&self) -> Result<()> {
        for part in ["data", "config", "secrets"] {
            ignore_missing(std::fs::remove_dir_all(self.path.join(part)))
                .with_context(|| format!("removing {part} in {}", self.path.display()))?;
        }
        ignore_missing(std::fs::remove_file(self.file())).context("removing state.json")
    }

    /// Removes the logs of an earlier run.
    pub fn clear_logs(&self) -> Result<()> {
        ignore_missing(std::fs::remove_dir_all(self.logs())).context("removing old logs")?;
        create(self.logs()).map(|_| ())
    }

    /// The lock of the directory's owner: see [`crate::ownership`].
    pub(crate) fn owner_lock(&self) -> PathBuf {
        self.path.join("owner.lock")
    }

    fn file(&self) -> PathBuf {
        self.path.join("state.json")
    }
}

fn create(path: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    Ok(path)
}

/// Treats a missing file or directory as removed.
fn ignore_missing(outcome: std::io::Result<()>) -> std::io::Result<()> {
    match outcome {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
