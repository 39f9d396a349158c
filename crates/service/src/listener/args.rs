//! Options of the listener.

use std::time::Duration;

/// Options of everything that serves clients, with the same defaults on each route.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenerArgs {
    /// Calls in progress at a time, open streams and answers not yet taken included; one more is refused at once. The
    /// default leaves room for a full --max-in-flight, and as much again that arrives or leaves, twice: ingest-grpc
    /// serves native calls and the bridge's
    #[arg(long, env = "MAX_CALLS", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_calls: u32,

    /// How long a request head may take to arrive, in ms; also how long an HTTP/1.1 connection may be silent. A proxy's
    /// own idle time-out should be shorter
    #[arg(long, env = "HEAD_TIMEOUT_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub head_timeout_ms: u64,

    /// How long a client may do nothing with what it has opened, in ms: take no byte of an answer, send no vote on a
    /// stream, make no call on an HTTP/2 connection
    #[arg(long, env = "IDLE_TIMEOUT_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub idle_timeout_ms: u64,

    /// Leaves Nagle's algorithm on; no option of its own, because it is a fault.
    #[arg(skip)]
    pub nagle: bool,
}

impl ListenerArgs {
    /// The same, with Nagle's algorithm on or off.
    #[must_use]
    pub fn with_nagle(mut self, nagle: bool) -> Self {
        self.nagle = nagle;
        self
    }

    /// How long a request head may take to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    /// How long a client may do nothing with what it has opened.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
}
