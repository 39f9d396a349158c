//! The options that configure the stack: servers, ports and tuning.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::ports::{PortOverride, Ports};
use crate::servers::Server;
use crate::state::Settings;

/// The percentage of the split path that goes to the bridge by default.
const DEFAULT_WEIGHT: u8 = 50;

/// The options of `lab up` and `lab demo`.
#[derive(Clone, Debug, Args)]
pub struct StackOptions {
    /// Start only these servers, such as `kafka,redis` (default: all)
    ///
    /// The order of this list has no effect on the start order.
    #[arg(long, value_delimiter = ',', value_name = "SERVERS")]
    pub only: Vec<Server>,

    /// Set the number of a port; repeatable
    ///
    /// Names: ingress, ingress-admin, rest, rest-admin, grpc, grpc-admin, bridge, bridge-admin, consumer-admin,
    /// kafka, kafka-controller, redis, mongodb, prometheus, viewer, viewer-admin.
    #[arg(long = "port", value_name = "NAME=NUMBER")]
    pub ports: Vec<PortOverride>,

    /// Choose a free number for every port that --port does not set
    #[arg(long)]
    pub free_ports: bool,

    /// Percentage of the split path /v1/votes that goes to `bridge`; the remainder goes to `rest`
    #[arg(long, default_value_t = DEFAULT_WEIGHT, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub weight: u8,

    /// Deadline of a vote in milliseconds, after which its route answers 504 (default: that of the services)
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u64>,

    /// Votes in flight for each route, beyond which it answers 429 (default: that of the services)
    #[arg(long, value_name = "VOTES")]
    pub max_in_flight: Option<u32>,

    /// CSV file with the bands and albums that can be voted for, such as locust/votes/catalogue.csv (default: all)
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,

    /// Encrypt all connections, and let every program log in and do only what it needs
    ///
    /// Makes a certificate authority, certificates and passwords in `secrets/` of the state directory. Clients need its
    /// `ca.pem`.
    #[arg(long)]
    pub secure: bool,
}

impl StackOptions {
    /// The options of a stack on free ports with all servers; everything else has its default.
    pub fn on_free_ports() -> Self {
        Self {
            only: Vec::new(),
            ports: Vec::new(),
            free_ports: true,
            weight: DEFAULT_WEIGHT,
            deadline_ms: None,
            max_in_flight: None,
            catalogue: None,
            secure: false,
        }
    }

    /// Assigns the ports and sorts the servers into start order.
    pub fn settings(&self) -> Result<Settings> {
        let is_selected = |server: &Server| self.only.is_empty() || self.only.contains(server);
        // The services have another working directory.
        let catalogue = self.catalogue.as_ref().map(|path| {
            path.canonicalize()
                .with_context(|| format!("cannot read {} (--catalogue)", path.display()))
        });
        Ok(Settings {
            servers: Server::all().into_iter().filter(is_selected).collect(),
            ports: Ports::choose(&self.ports, self.free_ports)?,
            weight: self.weight,
            deadline_ms: self.deadline_ms,
            max_in_flight: self.max_in_flight,
            catalogue: catalogue.transpose()?,
            secure: self.secure,
            ..Settings::default()
        })
    }
}
