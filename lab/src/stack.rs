//! The stack as a whole: up in order, down in reverse, and recovered after a crash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::future::{join_all, try_join_all};

use crate::fetch::Cache;
use crate::ports::{Port, Ports};
use crate::process::{self, Identity, Launch, Signal};
use crate::progress::Progress;
use crate::servers::{Place, Server, write_routes, write_weight};
use crate::state::{ServerProcess, Settings, State, StateDir};
use crate::status::Status;
use crate::taken::check_ports;

/// How long a server may take until it is ready.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a process may take to end by itself: above the services' own drain timeout of 10 s.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// How long another `lab` may take to stop its stack.
const OWNER_GRACE: Duration = Duration::from_mins(1);

/// A stack that lives in a state directory.
#[derive(Clone, Debug)]
pub struct Stack {
    cache: Cache,
    dir: StateDir,
    programs: PathBuf,
    progress: Progress,
}

/// What [`Stack::claim`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// The stack is this process's to start.
    Ours,
    /// It runs already, detached and with all its servers.
    Running,
}

impl Stack {
    /// The stack of this state directory, running or not. The project's programs are looked for in `programs`.
    pub fn open(state_dir: &Path, programs: &Path, progress: Progress) -> Result<Self> {
        let (cache, dir) = (Cache::open()?, StateDir::open(state_dir)?);
        Ok(Self {
            cache,
            dir,
            programs: programs.to_owned(),
            progress,
        })
    }

    /// Its state directory.
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// The programs it runs.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Where it shows what it does.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Makes this process the owner, which alone may start the stack; removes what a crashed owner has left. Errors
    /// where another `lab` is at work on the same state directory.
    pub async fn claim(&self) -> Result<Claim> {
        let own = Identity::own()?;
        let running = self.dir.update(|state| {
            if let Some(owner) = state.owner.filter(|owner| owner.is_alive()) {
                bail!(
                    "another lab (pid {}) holds this stack; end it, or run `lab down`",
                    owner.pid
                );
            }
            if state.owner.is_none() && is_complete(state) {
                return Ok(true);
            }
            state.owner = Some(own);
            Ok(false)
        })?;
        if running {
            return Ok(Claim::Running);
        }
        if self.end_processes().await? > 0 {
            self.progress.note("removed what an earlier run had left");
        }
        self.dir.clear()?;
        self.dir.clear_logs()?;
        self.dir.update(|state| {
            state.owner = Some(own);
            Ok(())
        })?;
        Ok(Claim::Ours)
    }

    /// Starts the servers of a claimed stack, row by row, and returns when all are ready.
    pub async fn start(&self, settings: &Settings) -> Result<()> {
        check_names(settings)?;
        check_ports(settings, &settings.servers)?;
        self.cache.fetch(&settings.servers, &self.progress).await?;
        self.dir.update(|state| {
            state.settings = settings.clone();
            Ok(())
        })?;
        for row in Server::ROWS {
            let row = row
                .iter()
                .copied()
                .filter(|server| settings.servers.contains(server));
            try_join_all(row.map(|server| self.launch(server, settings))).await?;
        }
        Ok(())
    }

    /// Gives up ownership: the stack goes on when this process ends.
    pub fn detach(&self) -> Result<()> {
        self.dir.update(|state| {
            state.owner = None;
            Ok(())
        })
    }

    /// Stops everything in reverse order and removes its data; the logs stay.
    pub async fn stop(&self) -> Result<()> {
        let owner = self.dir.load()?.and_then(|state| state.owner);
        if let Some(owner) = owner.filter(|owner| Identity::own().is_ok_and(|own| own != *owner)) {
            owner.signal(Signal::TERM)?;
            owner.wait(OWNER_GRACE).await;
        }
        self.end_processes().await?;
        self.dir.clear()
    }

    /// Starts one server of the running stack again.
    pub async fn start_server(&self, server: Server) -> Result<()> {
        let state = self.running()?;
        if state
            .process(server.name())
            .is_some_and(|record| record.identity.is_alive())
        {
            bail!("{server} runs already");
        }
        check_ports(&state.settings, &[server])?;
        self.launch(server, &state.settings).await
    }

    /// Sends `signal` to one server and waits for its end; its data stays. Errors where it had to be killed.
    pub async fn stop_server(&self, server: Server, signal: Signal) -> Result<()> {
        let ended = self.identity(server)?.stop(signal, STOP_GRACE).await?;
        self.dir.update(|state| {
            state.processes.retain(|record| record.name != server.name());
            Ok(())
        })?;
        if !ended {
            bail!(
                "{server} did not end within {} s and was killed",
                STOP_GRACE.as_secs()
            );
        }
        Ok(())
    }

    /// Gives servers of the running stack other arguments besides their own: those for which they differ are started
    /// again. Returns when every server is ready.
    pub async fn set_extra_args(&self, extra_args: BTreeMap<String, Vec<String>>) -> Result<()> {
        let mut settings = self.settings()?;
        let of = |args: &BTreeMap<String, Vec<String>>, server: &Server| {
            args.get(server.name()).cloned().unwrap_or_default()
        };
        let servers = settings.servers.iter();
        let differ = servers.filter(|server| of(&settings.extra_args, server) != of(&extra_args, server));
        let differ: Vec<Server> = differ.copied().collect();
        settings.extra_args = extra_args;
        check_names(&settings)?;
        self.dir.update(|state| {
            state.settings = settings.clone();
            Ok(())
        })?;
        for server in &differ {
            self.stop_server(*server, Signal::TERM).await?;
            self.start_server(*server).await?;
        }
        // Whoever speaks to one of them has noticed.
        let others = settings.servers.iter().filter(|_| !differ.is_empty());
        for server in others {
            let identity = self.identity(*server)?;
            self.wait_ready(*server, identity, &settings).await?;
        }
        Ok(())
    }

    /// The process of a running server.
    pub fn identity(&self, server: Server) -> Result<Identity> {
        let state = self.running()?;
        let record = state
            .process(server.name())
            .filter(|record| record.identity.is_alive());
        record
            .map(|record| record.identity)
            .with_context(|| format!("{server} does not run"))
    }

    /// Changes the split of a running stack; the Ingress takes it over within a second or two.
    pub fn set_weight(&self, weight: u8) -> Result<()> {
        self.running()?;
        let settings = self.dir.update(|state| {
            state.settings.weight = weight;
            Ok(state.settings.clone())
        })?;
        write_routes(&self.dir, &settings)?;
        write_weight(&self.dir, &settings)?;
        // Where Prometheus does not run, it reads the weight when it starts.
        match self.identity(Server::Prometheus) {
            Ok(prometheus) => prometheus.signal(Signal::HUP),
            Err(_) => Ok(()),
        }
    }

    /// Every server of the stack, asked now.
    pub async fn status(&self) -> Result<Vec<Status>> {
        let state = self.running()?;
        let asked = state
            .settings
            .servers
            .iter()
            .map(|server| Status::of(*server, &state));
        Ok(join_all(asked).await)
    }

    /// The settings of the running stack.
    pub fn settings(&self) -> Result<Settings> {
        Ok(self.running()?.settings)
    }

    /// Starts a process, records it, and leaves it running.
    pub fn spawn(&self, name: &str, launch: &Launch, ports: &[Port]) -> Result<Identity> {
        let log = self.dir.log(name);
        // Under the lock: whoever stops the stack sees the process, or is done before it starts.
        self.dir.update(|state| {
            let identity = launch.spawn(self.dir.path(), &log)?;
            let numbers = ports
                .iter()
                .map(|port| (*port, state.settings.ports.get(*port)))
                .collect();
            state.processes.retain(|record| record.name != name);
            state.processes.push(ServerProcess {
                name: name.to_owned(),
                identity,
                command: launch.command(),
                env: launch.env.clone(),
                log: log.clone(),
                ports: numbers,
            });
            Ok(identity)
        })
    }

    /// The last lines of a process's log.
    pub fn log_tail(&self, name: &str) -> String {
        const LINES: usize = 15;
        let text = std::fs::read_to_string(self.dir.log(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(LINES)..)
            .unwrap_or_default()
            .join("\n")
    }

    async fn launch(&self, server: Server, settings: &Settings) -> Result<()> {
        let step = self.progress.step(server.name());
        let place = Place {
            cache: &self.cache,
            dir: &self.dir,
            settings,
            programs: &self.programs,
        };
        let launch = server
            .prepare(&place)
            .await
            .with_context(|| format!("preparing {server}"))?;
        let identity = self.spawn(server.name(), &launch, server.ports())?;
        self.wait_ready(server, identity, settings).await?;
        step.done(&format!("ready on {}", list_ports(server, &settings.ports)));
        Ok(())
    }

    async fn wait_ready(&self, server: Server, identity: Identity, settings: &Settings) -> Result<()> {
        let attempts = async {
            loop {
                let attempt = async {
                    server.initialise(settings).await?;
                    server.ready(&settings.ports).await
                };
                match tokio::time::timeout(START_LIMIT, attempt).await {
                    Ok(Ok(())) => return,
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        let ended = tokio::select! {
            () = attempts => return Ok(()),
            ended = identity.wait(START_LIMIT) => ended,
        };
        let reason = if ended {
            "ended during its start".to_owned()
        } else {
            let problem = server
                .ready(&settings.ports)
                .await
                .err()
                .unwrap_or_else(|| anyhow!("ready too late"));
            format!("is not ready after {} s: {problem:#}", START_LIMIT.as_secs())
        };
        bail!(
            "{server} {reason}; its log ends:\n{}",
            self.log_tail(server.name())
        );
    }

    /// Ends every process of the stack, recorded or not, in reverse order; returns how many ran.
    async fn end_processes(&self) -> Result<usize> {
        let state = self.dir.load()?.unwrap_or_default();
        let mut ended = 0;
        let is_server =
            |record: &ServerProcess| Server::all().iter().any(|server| server.name() == record.name);
        let drivers: Vec<&ServerProcess> = state
            .processes
            .iter()
            .filter(|record| !is_server(record))
            .collect();
        ended += self.end_together(&drivers).await?;
        for row in Server::ROWS.iter().rev() {
            let records: Vec<&ServerProcess> = row
                .iter()
                .filter_map(|server| state.process(server.name()))
                .collect();
            ended += self.end_together(&records).await?;
        }
        // A lab that was killed between start and record.
        for stray in process::marked(self.dir.path()) {
            stray.stop(Signal::TERM, STOP_GRACE).await?;
            ended += 1;
        }
        Ok(ended)
    }

    async fn end_together(&self, records: &[&ServerProcess]) -> Result<usize> {
        let alive = records.iter().filter(|record| record.identity.is_alive());
        let ended = try_join_all(alive.map(|record| async {
            let step = self.progress.step(&record.name);
            let by_itself = record.identity.stop(Signal::TERM, STOP_GRACE).await?;
            step.done(if by_itself {
                "stopped"
            } else {
                "did not end, killed"
            });
            anyhow::Ok(())
        }))
        .await?;
        Ok(ended.len())
    }

    fn running(&self) -> Result<State> {
        self.dir.load()?.with_context(|| {
            format!(
                "no stack runs in {}; start one with `lab up`",
                self.dir.path().display()
            )
        })
    }
}

/// Arguments for a server that does not exist would be passed to nobody, and nobody would notice.
fn check_names(settings: &Settings) -> Result<()> {
    for name in settings.extra_args.keys() {
        if !Server::all().iter().any(|server| server.name() == name) {
            bail!("there are arguments for `{name}`, and no server of that name");
        }
    }
    Ok(())
}

fn is_complete(state: &State) -> bool {
    let runs = |server: &Server| {
        state
            .process(server.name())
            .is_some_and(|record| record.identity.is_alive())
    };
    !state.settings.servers.is_empty() && state.settings.servers.iter().all(runs)
}

/// The ports of a server as text, the client's first.
pub fn list_ports(server: Server, ports: &Ports) -> String {
    let numbers: Vec<String> = server
        .ports()
        .iter()
        .map(|port| ports.get(*port).to_string())
        .collect();
    numbers.join(", ")
}
