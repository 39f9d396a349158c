//! The stack as a whole: starts the servers in order, stops them in reverse, and recovers after a crash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use backon::{ConstantBuilder, Retryable};
use futures::future::{join_all, try_join_all};

use crate::access::Access;
use crate::endpoints::Endpoints;
use crate::fetch::Cache;
use crate::launch::{self, LaunchContext, write_routes, write_weight};
use crate::ownership::{Activity, Ownership, describe};
use crate::port_conflicts::check_ports;
use crate::ports::Port;
use crate::process::{self, Identity, ProcessSpec, Signal};
use crate::progress::Progress;
use crate::secrets::Secrets;
use crate::servers::Server;
use crate::state::{ServerProcess, Settings, State, StateDir};
use crate::status::Status;

/// The time until a started server must be ready.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The pause between two readiness checks.
const READINESS_INTERVAL: Duration = Duration::from_millis(100);
/// The time from the stop signal until SIGKILL: longer than the drain timeout of the services, which is 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// The time that another `lab` has to stop its stack.
const OWNER_STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// A stack in a state directory.
#[derive(Clone, Debug)]
pub struct Stack {
    cache: Cache,
    dir: StateDir,
    programs: PathBuf,
    progress: Progress,
    ownership: Ownership,
}

/// A separate instance of a server, beside the stack's own.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name in the state and of its log.
    name: String,
    /// Its process.
    pub identity: Identity,
    /// The addresses of the stack, with those of the instance instead of the server's.
    pub endpoints: Endpoints,
}

/// The result of [`Stack::acquire`].
#[derive(Debug, PartialEq, Eq)]
pub enum AcquireOutcome {
    /// This process is now the owner and may start the stack.
    Acquired,
    /// The stack is already running, detached and with all its servers.
    AlreadyRunning,
}

impl Stack {
    /// Opens the stack of this state directory, running or not. `programs` is the directory of the project's programs.
    pub fn open(state_dir: &Path, programs: &Path, progress: Progress) -> Result<Self> {
        let (cache, dir) = (Cache::open()?, StateDir::open(state_dir)?);
        Ok(Self {
            cache,
            dir,
            programs: programs.to_owned(),
            progress,
            ownership: Ownership::default(),
        })
    }

    /// The state directory.
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// The cache of the servers' programs.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Shows the progress of the stack's commands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Makes this process the owner of the stack: only the owner may start it. Stops the processes and removes the
    /// data of an owner that crashed. It is an error if another running `lab` owns the stack.
    pub async fn acquire(&self) -> Result<AcquireOutcome> {
        if let Err(owner) = self.ownership.take(&self.dir, Activity::Running)? {
            bail!(
                "{} owns the stack in {}: wait for it, end it, or run `lab down`",
                describe(owner),
                self.dir.path().display()
            );
        }
        let outcome = self.clean_up().await;
        if !matches!(outcome, Ok(AcquireOutcome::Acquired)) {
            self.ownership.release();
        }
        outcome
    }

    /// Removes what an earlier run left, unless it left a complete stack that runs detached.
    async fn clean_up(&self) -> Result<AcquireOutcome> {
        if let Some(state) = self.dir.load()?
            && state.owner.is_none()
            && is_complete(&state)
        {
            return Ok(AcquireOutcome::AlreadyRunning);
        }
        if self.stop_processes().await? > 0 {
            self.progress.note("stopped the processes of an earlier run");
        }
        self.dir.clear()?;
        self.dir.clear_logs()?;
        let current = Identity::current()?;
        self.dir.update(|state| {
            state.owner = Some(current);
            Ok(())
        })?;
        Ok(AcquireOutcome::Acquired)
    }

    /// Starts the servers of an acquired stack, one start stage after the other. Returns when all are ready.
    pub async fn start(&self, settings: &Settings) -> Result<()> {
        settings.validate()?;
        check_ports(settings, &settings.servers)?;
        self.cache.fetch(&settings.servers, &self.progress).await?;
        self.dir.update(|state| {
            state.settings = settings.clone();
            Ok(())
        })?;
        if settings.secure {
            self.dir.secrets().create()?;
        }
        for stage in Server::START_STAGES {
            let servers = stage
                .iter()
                .copied()
                .filter(|server| settings.servers.contains(server));
            try_join_all(servers.map(|server| self.launch(server, settings))).await?;
        }
        Ok(())
    }

    /// Gives up ownership: the stack continues to run when this process ends.
    pub fn detach(&self) -> Result<()> {
        self.dir.update(|state| {
            state.owner = None;
            Ok(())
        })?;
        self.ownership.release();
        Ok(())
    }

    /// Stops all processes in reverse start order and removes their data; keeps the logs. Another `lab` that owns the
    /// stack receives SIGTERM first.
    pub async fn stop(&self) -> Result<()> {
        self.ownership.take_over(&self.dir, OWNER_STOP_TIMEOUT).await?;
        let stopped = self.stop_processes().await;
        let cleared = stopped.and_then(|_| self.dir.clear());
        self.ownership.release();
        cleared
    }

    /// Starts a stopped server of the running stack and waits until it is ready.
    pub async fn start_server(&self, server: Server) -> Result<()> {
        let state = self.load_running()?;
        if is_alive(&state, server) {
            bail!("{server} is already running: stop it first with `lab stop {server}`");
        }
        check_ports(&state.settings, &[server])?;
        self.launch(server, &state.settings).await
    }

    /// Sends `signal` to one server and waits until it ends; keeps its data. It is an error if the server had to be
    /// killed.
    pub async fn stop_server(&self, server: Server, signal: Signal) -> Result<()> {
        let ended_in_time = self.identity(server)?.stop(signal, STOP_TIMEOUT).await?;
        self.dir.update(|state| {
            state.processes.retain(|process| process.name != server.name());
            Ok(())
        })?;
        if !ended_in_time {
            bail!(
                "{server} did not end within {} s after the signal and was killed: read its log {}",
                STOP_TIMEOUT.as_secs(),
                self.dir.log(server.name()).display()
            );
        }
        Ok(())
    }

    /// Replaces the process of a server by a new one with the same data, and waits until it is ready.
    pub async fn restart_server(&self, server: Server) -> Result<()> {
        self.stop_server(server, Signal::TERM).await?;
        self.start_server(server).await
    }

    /// Replaces the additional arguments of the servers, and restarts each server whose arguments change. Returns when
    /// all servers are ready, except those that were stopped before this call.
    pub async fn set_extra_args(&self, extra_args: BTreeMap<String, Vec<String>>) -> Result<()> {
        let mut settings = self.settings()?;
        let args_of = |args: &BTreeMap<String, Vec<String>>, server: &Server| {
            args.get(server.name()).cloned().unwrap_or_default()
        };
        let has_changed =
            |server: &&Server| args_of(&settings.extra_args, server) != args_of(&extra_args, server);
        let changed: Vec<Server> = settings.servers.iter().filter(has_changed).copied().collect();
        settings.extra_args = extra_args;
        settings.validate()?;
        self.dir.update(|state| {
            state.settings = settings.clone();
            Ok(())
        })?;
        for server in &changed {
            self.restart_server(*server).await?;
        }
        if changed.is_empty() {
            return Ok(());
        }
        // The clients of a restarted server may have become unready in the meantime.
        let state = self.load_running()?;
        for server in &settings.servers {
            if let Some(process) = state.process(server.name()) {
                self.wait_ready(*server, server.name(), process.identity, &settings)
                    .await?;
            }
        }
        Ok(())
    }

    /// Starts a separate instance of `server` on free ports, with `args` after the server's own arguments. The stack owns
    /// it under `name`, but the other servers do not use it. Returns when it is ready.
    pub async fn start_instance(&self, server: Server, name: &str, args: &[String]) -> Result<Instance> {
        let mut settings = self.settings()?;
        settings.ports = settings.ports.with_free(server.ports());
        let server_args = settings.extra_args.entry(server.name().to_owned()).or_default();
        server_args.extend_from_slice(args);
        let spec = launch::prepare(server, &self.context(&settings)).await?;
        let identity = self.spawn(name, &spec, &[])?;
        self.wait_ready(server, name, identity, &settings).await?;
        Ok(Instance {
            name: name.to_owned(),
            identity,
            endpoints: self.access(&settings).endpoints(),
        })
    }

    /// Starts a separate instance of the stock service that takes the place of `server`, on a free port. Returns when it
    /// accepts connections.
    pub async fn start_stock_instance(&self, server: Server, name: &str) -> Result<Instance> {
        let mut settings = self.settings()?;
        settings.ports = settings.ports.with_free(server.ports());
        let spec = launch::prepare_stock(server, &self.context(&settings))?;
        let identity = self.spawn(name, &spec, &[])?;
        self.wait_until(name, identity, || {
            launch::check_stock_ready(server, &settings.ports)
        })
        .await?;
        Ok(Instance {
            name: name.to_owned(),
            identity,
            endpoints: self.access(&settings).endpoints(),
        })
    }

    /// Stops a separate instance.
    pub async fn stop_instance(&self, instance: &Instance) -> Result<()> {
        instance.identity.stop(Signal::TERM, STOP_TIMEOUT).await?;
        self.dir.update(|state| {
            state.processes.retain(|process| process.name != instance.name);
            Ok(())
        })
    }

    /// The process of a running server.
    pub fn identity(&self, server: Server) -> Result<Identity> {
        let state = self.load_running()?;
        let process = state
            .process(server.name())
            .filter(|process| process.identity.is_alive());
        process
            .map(|process| process.identity)
            .with_context(|| format!("{server} is not running: start it with `lab start {server}`"))
    }

    /// Changes the split of a running stack. The Ingress applies it within about two seconds.
    pub fn set_weight(&self, weight: u8) -> Result<()> {
        self.load_running()?;
        let settings = self.dir.update(|state| {
            state.settings.weight = weight;
            Ok(state.settings.clone())
        })?;
        write_routes(&self.context(&settings))?;
        write_weight(&self.dir, &settings)?;
        // A stopped Prometheus reads the weight when it starts.
        match self.identity(Server::Prometheus) {
            Ok(prometheus) => prometheus.signal(Signal::HUP),
            Err(_) => Ok(()),
        }
    }

    /// Issues all certificates of a secured stack again, and makes the servers that run read them.
    pub async fn rotate_certificates(&self) -> Result<()> {
        let state = self.load_running()?;
        self.secrets(&state)?.renew_certificates()?;
        let context = self.context(&state.settings);
        for server in &state.settings.servers {
            if is_alive(&state, *server) {
                let reloaded = launch::reload_certificates(*server, &context).await;
                reloaded.with_context(|| format!("{server} did not read its new certificate"))?;
            }
        }
        Ok(())
    }

    /// Replaces the tokens of a secured stack. The services accept the old ones until the next call.
    pub async fn rotate_tokens(&self) -> Result<()> {
        let state = self.load_running()?;
        self.secrets(&state)?.renew_tokens().await
    }

    fn secrets(&self, state: &State) -> Result<Secrets> {
        if !state.settings.secure {
            bail!("the stack is not secured: start it with `lab up --secure`");
        }
        Ok(self.dir.secrets())
    }

    /// Checks every server of the stack now.
    pub async fn status(&self) -> Result<Vec<Status>> {
        let state = self.load_running()?;
        let access = self.access(&state.settings);
        let servers = state.settings.servers.iter();
        Ok(join_all(servers.map(|server| Status::of(*server, &state, &access))).await)
    }

    /// The settings of the running stack.
    pub fn settings(&self) -> Result<Settings> {
        Ok(self.load_running()?.settings)
    }

    /// Starts a process, adds it to the state, and leaves it running.
    pub fn spawn(&self, name: &str, spec: &ProcessSpec, ports: &[Port]) -> Result<Identity> {
        let log = self.dir.log(name);
        // The lock covers the start of the process and its entry in the state file, so that a concurrent `lab down` stops
        // this process.
        self.dir.update(|state| {
            let identity = spec.spawn(self.dir.path(), &log)?;
            let numbers = ports
                .iter()
                .map(|port| (*port, state.settings.ports.get(*port)))
                .collect();
            state.processes.retain(|process| process.name != name);
            state.processes.push(ServerProcess {
                name: name.to_owned(),
                identity,
                command: spec.command(),
                env: spec.env.clone(),
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
        let spec = launch::prepare(server, &self.context(settings))
            .await
            .with_context(|| format!("preparing {server}"))?;
        let identity = self.spawn(server.name(), &spec, server.ports())?;
        self.wait_ready(server, server.name(), identity, settings).await?;
        step.done(&format!("ready on {}", server.list_ports(&settings.ports)));
        Ok(())
    }

    /// How clients reach the servers of a stack with these settings.
    pub fn access(&self, settings: &Settings) -> Access {
        Access::new(settings, &self.dir)
    }

    fn context<'a>(&'a self, settings: &'a Settings) -> LaunchContext<'a> {
        LaunchContext {
            cache: &self.cache,
            dir: &self.dir,
            settings,
            access: self.access(settings),
            programs: &self.programs,
        }
    }

    async fn wait_ready(
        &self,
        server: Server,
        name: &str,
        identity: Identity,
        settings: &Settings,
    ) -> Result<()> {
        let access = self.access(settings);
        let check = async || {
            launch::initialise(server, settings, &access).await?;
            launch::check_ready(server, &access).await
        };
        self.wait_until(name, identity, check).await
    }

    /// Waits until `check` succeeds. It is an error if the process ends before.
    async fn wait_until(
        &self,
        name: &str,
        identity: Identity,
        check: impl AsyncFn() -> Result<()>,
    ) -> Result<()> {
        let attempt = async || tokio::time::timeout(START_TIMEOUT, check()).await?;
        let interval = ConstantBuilder::new()
            .with_delay(READINESS_INTERVAL)
            .without_max_times();
        let ended = tokio::select! {
            ready = attempt.retry(interval) => return ready,
            ended = identity.wait(START_TIMEOUT) => ended,
        };
        let reason = if ended {
            "ended before it was ready".to_owned()
        } else {
            let problem = check()
                .await
                .err()
                .unwrap_or_else(|| anyhow!("it became ready only after the timeout"));
            format!("is not ready after {} s: {problem:#}", START_TIMEOUT.as_secs())
        };
        bail!(
            "{name} {reason}; the last lines of its log:\n{}",
            self.log_tail(name)
        );
    }

    /// Stops every process of the stack in reverse start order, also those that the state does not contain. Returns how
    /// many were running.
    async fn stop_processes(&self) -> Result<usize> {
        let state = self.dir.load()?.unwrap_or_default();
        let is_server =
            |process: &ServerProcess| Server::all().iter().any(|server| server.name() == process.name);
        let other_processes: Vec<&ServerProcess> = state
            .processes
            .iter()
            .filter(|process| !is_server(process))
            .collect();
        let mut stopped = self.stop_together(&other_processes).await?;
        for stage in Server::START_STAGES.iter().rev() {
            let processes: Vec<&ServerProcess> = stage
                .iter()
                .filter_map(|server| state.process(server.name()))
                .collect();
            stopped += self.stop_together(&processes).await?;
        }
        // The state lacks a process if lab was killed between the start of the process and its entry.
        for process in process::find_by_state_dir(self.dir.path()) {
            process.stop(Signal::TERM, STOP_TIMEOUT).await?;
            stopped += 1;
        }
        Ok(stopped)
    }

    async fn stop_together(&self, processes: &[&ServerProcess]) -> Result<usize> {
        let alive = processes.iter().filter(|process| process.identity.is_alive());
        let stopped = try_join_all(alive.map(|process| async {
            let step = self.progress.step(&process.name);
            let ended_in_time = process.identity.stop(Signal::TERM, STOP_TIMEOUT).await?;
            step.done(if ended_in_time {
                "stopped"
            } else {
                "did not stop on SIGTERM, killed"
            });
            anyhow::Ok(())
        }))
        .await?;
        Ok(stopped.len())
    }

    fn load_running(&self) -> Result<State> {
        self.dir.load()?.with_context(|| {
            format!(
                "no stack is running in {}: start one with `lab up`",
                self.dir.path().display()
            )
        })
    }
}

fn is_alive(state: &State, server: Server) -> bool {
    state
        .process(server.name())
        .is_some_and(|process| process.identity.is_alive())
}

fn is_complete(state: &State) -> bool {
    let servers = &state.settings.servers;
    !servers.is_empty() && servers.iter().all(|server| is_alive(state, *server))
}
