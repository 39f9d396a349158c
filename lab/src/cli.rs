//! The commands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::io::AsyncReadExt;

use crate::demo::{self, DemoOptions};
use crate::endpoints::Endpoints;
use crate::options::StackOptions;
use crate::ports::Port;
use crate::process::Signal;
use crate::progress::Progress;
use crate::project;
use crate::servers::Server;
use crate::signals::unless_interrupted;
use crate::stack::{Claim, Stack, list_ports};
use crate::state::Settings;

/// dualpath on one machine: real Kafka, Redis, MongoDB, Traefik and Prometheus around the project's services
///
/// Everything listens on 127.0.0.1. Programs come from package registries, once, into
/// ${XDG_CACHE_HOME:-~/.cache}/dualpath; what runs, its data and its logs lie in .lab/.
#[derive(Debug, Parser)]
#[command(name = "lab", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Directory of state, data and logs [default: .lab in the project's root]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  lab demo                          one minute of votes through all three routes, and the books checked
  lab up --weight 30                start everything; 30 % of the split path goes to the bridge
  lab weight 0                      send the whole split path to rest, without a restart
  lab stop kafka; lab start kafka   an outage, and its end
  lab up --only kafka,redis --port kafka=19092";

#[derive(Debug, Subcommand)]
enum Command {
    /// Download the servers' programs, where the cache lacks them
    Fetch,
    /// Start the stack and leave it running; `lab down` stops it
    Up {
        #[command(flatten)]
        options: StackOptions,
        /// Stay in the foreground: print the endpoints as one line of JSON when all is ready, and stop everything
        /// when standard input closes (for tests, which may die without a word)
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Show every server: running, process, ports, ready; exit 1 if one is not ready
    Status,
    /// Stop the stack in reverse order and remove its data; logs stay until the next start
    Down,
    /// Start a stopped server of the running stack again, with the data it had
    Start {
        /// The server
        server: Server,
    },
    /// Stop one server of the running stack; its data stays
    Stop {
        /// The server
        server: Server,
        /// Signal to send first; after 15 s the server is killed
        #[arg(long, default_value = "TERM", value_parser = parse_signal)]
        signal: Signal,
    },
    /// Change the split of the running stack
    Weight {
        /// Percent of /v1/votes that goes to `bridge`
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Drive votes through all three routes, compare what was sent with what each store holds, and write a report
    ///
    /// Starts the stack, lets Locust send votes for a while, waits until the consumer has caught up, and then checks
    /// per route that sent = acknowledged = in Kafka = in Redis = in MongoDB, by count and by vote id. Exit 0 only if
    /// so. The report and all logs go to results/<run>/; results/latest points to it.
    Demo {
        #[command(flatten)]
        stack: StackOptions,
        #[command(flatten)]
        run: DemoOptions,
    },
}

/// Runs a command; the exit code is its verdict.
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
        Command::Demo { stack: options, run } => return demo::run(&stack, &options, &run).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(stack: &Stack, options: &StackOptions) -> Result<()> {
    let settings = options.settings()?;
    if stack.claim().await? == Claim::Running {
        println!("Already running; `lab down` first to start it otherwise.");
        print_endpoints(&stack.settings()?);
        return Ok(());
    }
    let outcome = unless_interrupted(stack.start(&settings)).await;
    if outcome.is_err() {
        stack.stop().await?;
    }
    outcome?;
    stack.detach()?;
    print_endpoints(&settings);
    Ok(())
}

async fn foreground(stack: &Stack, options: &StackOptions) -> Result<()> {
    let settings = options.settings()?;
    if stack.claim().await? == Claim::Running {
        bail!("the stack runs already, detached; `lab down` stops it");
    }
    let work = async {
        stack.start(&settings).await?;
        println!("{}", serde_json::to_string(&Endpoints::new(&settings.ports))?);
        anyhow::Ok(())
    };
    let outcome = unless_interrupted(async {
        tokio::select! {
            started = work => started?,
            () = stdin_closed() => bail!("standard input closed before all was ready"),
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
    // An error on standard input means as much as its end.
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
        let ports = list_ports(status.server, &settings.ports);
        let ready = status
            .problem
            .as_deref()
            .map_or_else(|| "yes".to_owned(), |problem| format!("no: {problem}"));
        println!("{:<11} {state:<5} {pid:>8}  {ports:<14} {ready}", status.server);
    }
    println!("split: {} % of /v1/votes to bridge", settings.weight);
    Ok(if servers.iter().all(|status| status.problem.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_endpoints(settings: &Settings) {
    let ports = &settings.ports;
    let url = |port| format!("{}/", ports.url(port));
    let ingress = ports.url(Port::Ingress);
    let lines = [
        (
            Server::Ingress,
            format!("{ingress}/v1/votes (split), /rest/, /grpc/ (bridge), and gRPC"),
        ),
        (Server::Rest, url(Port::Rest)),
        (Server::Grpc, url(Port::Grpc)),
        (Server::Bridge, url(Port::Bridge)),
        (Server::Viewer, format!("{} (the page)", url(Port::Viewer))),
        (
            Server::Prometheus,
            format!("{} (/alerts shows what is wrong)", url(Port::Prometheus)),
        ),
        (Server::Kafka, ports.address(Port::Kafka)),
        (Server::Redis, format!("redis://{}", ports.address(Port::Redis))),
        (Server::Mongodb, crate::servers::mongodb_uri(ports)),
    ];
    for (server, address) in lines
        .iter()
        .filter(|(server, _)| settings.servers.contains(server))
    {
        println!("{server:<11} {address}");
    }
    println!("Grafana's boards of latency, tallies and pipeline: grafana/README.md says how to open them");
    println!("`lab status` shows the servers, `lab down` stops them; logs are in .lab/logs");
}

fn parse_signal(text: &str) -> Result<Signal> {
    match text.trim_start_matches("SIG") {
        "TERM" => Ok(Signal::TERM),
        "KILL" => Ok(Signal::KILL),
        "INT" => Ok(Signal::INT),
        "HUP" => Ok(Signal::HUP),
        "STOP" => Ok(Signal::STOP),
        "CONT" => Ok(Signal::CONT),
        _ => bail!("unknown signal {text:?}: TERM, KILL, INT, HUP, STOP or CONT"),
    }
}
