//! `compare load`: one block of load to any address, to check the load generator against other tools.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use experiment_model::protocol::{Arrival, Connections, Encoding, Version};
use experiment_model::variant::Implementation;
use lab::project;
use load_generator::schedule::send_times;
use load_generator::target::{Target, TargetSpec};
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

    /// Seed of the send times
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The result of the load. Latencies of acknowledged votes from the intended send time, in ms.
#[derive(Debug, Serialize)]
struct Summary {
    sent: usize,
    acknowledged: usize,
    p50_ms: Option<f64>,
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
    };
    let votes = votes::read_contest(&project::root()?)?;
    let target = Arc::new(Target::open(spec, &votes).await?);
    let times = send_times(
        args.arrival,
        args.rate,
        Duration::from_secs_f64(args.seconds),
        args.seed,
    );
    let samples = load::run_open_loop(&target, times, 0).await?;
    let acknowledged = samples.iter().filter(|sample| sample.is_acknowledged());
    let latencies = ascending_ms(acknowledged.map(|sample| sample.latency));
    let delays = ascending_ms(samples.iter().map(|sample| sample.scheduling_delay));
    let summary = Summary {
        sent: samples.len(),
        acknowledged: latencies.len(),
        p50_ms: nearest_rank(&latencies, 0.50),
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
