//! Options of the listener.

use std::time::Duration;

use super::tls::TlsArgs;

/// Size of an HTTP/1.1 connection's buffer, which bounds a request head; also the limit for the header list of HTTP/2.
pub const MAX_HEAD_BYTES: u32 = 16 * 1024;

/// Options of every listener, with the same defaults on each route.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenerArgs {
    /// Maximum number of requests in flight, including open streams and responses that clients have not read yet; further
    /// requests are rejected at once. The default is four times the default --max-in-flight: twice, because ingest-grpc
    /// serves native clients and the bridge, and twice again for requests or responses in transmission
    #[arg(long, env = "MAX_CALLS", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_calls: u32,

    /// How long a request head may take to arrive, in ms; also how long an HTTP/1.1 connection may be silent. Set the idle
    /// timeout of a proxy in front to a shorter time
    #[arg(long, env = "HEAD_TIMEOUT_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub head_timeout_ms: u64,

    /// How long a client may be inactive, in ms: read no byte of a response, send no vote on a stream, or send no request on
    /// an HTTP/2 connection
    #[arg(long, env = "IDLE_TIMEOUT_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub idle_timeout_ms: u64,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Leaves Nagle's algorithm on. Not a command-line option: only fault injection sets it.
    #[arg(skip)]
    pub nagle: bool,

    /// Maximum size of an HTTP/2 request head that reaches the service. Not a command-line option: a service sets it that
    /// itself rejects heads larger than [`MAX_HEAD_BYTES`].
    #[arg(skip = MAX_HEAD_BYTES)]
    pub h2_head_limit: u32,
}

impl ListenerArgs {
    /// Returns these options with Nagle's algorithm on or off.
    #[must_use]
    pub fn with_nagle(mut self, nagle: bool) -> Self {
        self.nagle = nagle;
        self
    }

    /// Returns these options with another maximum size of an HTTP/2 request head that reaches the service.
    #[must_use]
    pub fn with_h2_head_limit(mut self, bytes: u32) -> Self {
        self.h2_head_limit = bytes;
        self
    }

    /// How long a request head may take to arrive.
    pub fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    /// How long a client may be inactive.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
}
