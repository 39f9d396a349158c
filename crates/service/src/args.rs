//! Options that all binaries share.

use std::net::SocketAddr;
use std::time::Duration;

use crate::admin_port::AdminTlsArgs;

/// Options that all binaries share. Each binary flattens them into its own options.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonArgs {
    /// Address of the admin port: /metrics, /livez, /readyz
    #[arg(long, env = "ADMIN_ADDR", global = true)]
    pub admin_addr: Option<SocketAddr>,

    /// TLS of the admin port.
    #[command(flatten)]
    pub admin_tls: AdminTlsArgs,

    /// Format of log lines; RUST_LOG sets the level (default: info)
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,

    /// Threads of the async runtime; use the same number on every route, or a comparison is invalid
    #[arg(long, env = "WORKER_THREADS", default_value_t = 2, value_parser = parse_worker_threads, global = true)]
    pub worker_threads: usize,

    /// How long a drain may take after SIGTERM before the process exits anyway, in ms
    #[arg(long, env = "DRAIN_TIMEOUT_MS", default_value_t = 10_000, global = true)]
    pub drain_timeout_ms: u64,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

impl CommonArgs {
    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

fn parse_worker_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=256) => Ok(threads),
        _ => Err("expected a number from 1 to 256".to_owned()),
    }
}
