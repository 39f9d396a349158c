//! What a command says about the stack: which servers, on which ports, tuned how.

use anyhow::Result;
use clap::Args;

use crate::ports::{PortOverride, Ports};
use crate::servers::Server;
use crate::state::Settings;

/// Options of `up` and `demo`.
#[derive(Clone, Debug, Args)]
pub struct StackOptions {
    /// Start only these servers, such as `kafka,redis` (default: all)
    ///
    /// They start in the stack's own order, whatever the order here.
    #[arg(long, value_delimiter = ',', value_name = "SERVERS")]
    pub only: Vec<Server>,

    /// Give a port another number; may be repeated
    ///
    /// Names: ingress, ingress-admin, rest, rest-admin, grpc, grpc-admin, bridge, bridge-admin, consumer-admin,
    /// kafka, kafka-controller, redis, mongodb, prometheus, viewer, viewer-admin.
    #[arg(long = "port", value_name = "NAME=NUMBER")]
    pub ports: Vec<PortOverride>,

    /// Pick a free number for every port that --port does not set
    #[arg(long)]
    pub free_ports: bool,

    /// Percent of the split path /v1/votes that goes to `bridge`; the rest goes to `rest`
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub weight: u8,

    /// Milliseconds a vote may take before its route answers 504 (default: the services' own)
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u64>,

    /// Votes that a route holds in flight before it answers 429 (default: the services' own)
    #[arg(long, value_name = "VOTES")]
    pub max_in_flight: Option<u32>,
}

impl StackOptions {
    /// Chooses ports and order.
    pub fn settings(&self) -> Result<Settings> {
        let wanted = |server: &Server| self.only.is_empty() || self.only.contains(server);
        Ok(Settings {
            servers: Server::all().into_iter().filter(wanted).collect(),
            ports: Ports::choose(&self.ports, self.free_ports)?,
            weight: self.weight,
            deadline_ms: self.deadline_ms,
            max_in_flight: self.max_in_flight,
            ..Settings::default()
        })
    }
}
