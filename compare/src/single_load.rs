//! `compare load`: one block of load to any address, to check the load generator against other tools.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use experiment_model::protocol::{Arrival, Connections, Encoding, Version};
use experiment_model::variant::Implementation;
use lab::project;
use load_generator::schedule::send_times;
use load_generator::target::Target;
use load_generator::target_spec::TargetSpec;
use load_generator::{load, votes};
use quantile::{ascending_ms, nearest_rank};
use serde::Serialize;

/// Options of `compare load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Address of a route: http://host:port
    url: String,

    /// HTTP version
    #[arg(long, value_enum, default_value = "http1")]
    version: Version,

    /// Encoding of votes; grpc needs --version h2c
    #[arg(long, value_enum, default_value = "json")]
    encoding: Encoding,

    /// Votes a second
    #[arg(long, default_value_t = 200.0)]
    rate: f64,

    /// Spacing of the send times
    #[arg(long, value_enum, default_value = "poisson")]
    arrival: Arrival,

    /// Length of the load, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,

    /// Unanswered votes at most; HTTP/1.1 has one connection for each of them
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    in_flight: u32,

    /// Number of HTTP/2 connections
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,

    /// Send at the times of this file instead of --rate and --seconds: one a line, in µs from the start
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    send_times: Option<PathBuf>,

    /// Closed loop: this many clients, each of which sends its next vote after the answer to its last one
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    users: Option<u32>,

    /// Seed of the send times
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The result of the load. Latencies of acknowledged votes in ms: from the intended send time, and the median also from the
/// moment when the load generator sent the vote, as tools without a schedule measure it.
#[derive(Debug, Serialize)]
struct Summary {
    sent: usize,
    acknowledged: usize,
    p50_ms: Option<f64>,
    p50_from_send_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    scheduling_delay_p99_ms: Option<f64>,
}

/// Sends the load and prints its summary as JSON. Exit code 1 if a vote was not acknowledged.
pub async fn run(args: &LoadArgs) -> Result<ExitCode> {
    ensure!(
        !args.encoding.is_grpc() || args.version == Version::H2c,
        "--encoding grpc needs --version h2c"
    );
    ensure!(
        args.rate > 0.0 && args.rate.is_finite() && args.seconds > 0.0 && args.seconds.is_finite(),
        "--rate and --seconds must be positive"
    );
    let authority = args.url.trim_start_matches("http://").trim_end_matches('/');
    let connections = Connections {
        in_flight: args.in_flight as usize,
        count: args.connections as usize,
        reuse: true,
    };
    let spec = TargetSpec {
        authority,
        prefix: "",
        version: args.version,
        encoding: args.encoding,
        client: Implementation::Ours,
        connections,
        tls: None,
        authorization: None,
    };
    let votes = votes::read_vote_file(&project::root()?)?;
    let target = Arc::new(Target::open(spec, &votes).await?);
    let length = Duration::from_secs_f64(args.seconds);
    let samples = if let Some(users) = args.users {
        load::run_closed_loop(&target, users as usize, length, 0).await?
    } else {
        let times = match &args.send_times {
            Some(file) => read_send_times(file)?,
            None => send_times(args.arrival, args.rate, length, args.seed),
        };
        load::run_open_loop(&target, times, 0).await?
    };
    let acknowledged = || samples.iter().filter(|sample| sample.is_acknowledged());
    let latencies = ascending_ms(acknowledged().map(|sample| sample.latency));
    let from_send =
        ascending_ms(acknowledged().map(|sample| sample.latency.saturating_sub(sample.scheduling_delay)));
    let delays = ascending_ms(samples.iter().map(|sample| sample.scheduling_delay));
    let summary = Summary {
        sent: samples.len(),
        acknowledged: latencies.len(),
        p50_ms: nearest_rank(&latencies, 0.50),
        p50_from_send_ms: nearest_rank(&from_send, 0.50),
        p95_ms: nearest_rank(&latencies, 0.95),
        p99_ms: nearest_rank(&latencies, 0.99),
        scheduling_delay_p99_ms: nearest_rank(&delays, 0.99),
    };
    println!("{}", serde_json::to_string(&summary)?);
    Ok(if summary.acknowledged == summary.sent {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The send times of a file, ascending.
fn read_send_times(file: &Path) -> Result<Vec<Duration>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let micros = text.lines().enumerate().map(|(index, line)| {
        let number = line.trim().parse();
        number.with_context(|| format!("{}, line {}: not a number of µs", file.display(), index + 1))
    });
    let mut micros: Vec<u64> = micros.collect::<Result<_>>()?;
    micros.sort_unstable();
    Ok(micros.into_iter().map(Duration::from_micros).collect())
}
