//! The servers of the stack: which there are, in which order they start, how each is configured, started and asked
//! whether it is ready.

mod config;
mod prometheus;
mod ready;
mod services;
mod traefik;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::fetch::Cache;
use crate::ports::{Port, Ports};
use crate::process::Launch;
use crate::state::{Settings, StateDir};

pub use prometheus::write_weight;
pub(crate) use services::mongodb_uri;
pub use traefik::write_routes;

/// A server of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// Apache Kafka, one KRaft node.
    Kafka,
    /// Redis: the tally.
    Redis,
    /// MongoDB, replica set `rs0`: the log.
    Mongodb,
    /// `ingest-grpc serve`.
    Grpc,
    /// `ingest-rest`.
    Rest,
    /// `consumer run`.
    Consumer,
    /// `ingest-grpc bridge`.
    Bridge,
    /// Traefik.
    Ingress,
    /// Prometheus.
    Prometheus,
    /// `viewer`: the log page.
    Viewer,
}

impl Server {
    /// All servers in start order. Those of one row need nothing of each other and start together; they stop in
    /// reverse.
    pub const ROWS: [&'static [Self]; 4] = [
        &[Self::Kafka, Self::Redis, Self::Mongodb],
        &[Self::Grpc, Self::Rest, Self::Consumer],
        &[Self::Bridge],
        &[Self::Ingress, Self::Prometheus, Self::Viewer],
    ];

    /// All servers in start order.
    pub fn all() -> Vec<Self> {
        Self::ROWS.concat()
    }

    /// Its name in commands, files and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Redis => "redis",
            Self::Mongodb => "mongodb",
            Self::Grpc => "grpc",
            Self::Rest => "rest",
            Self::Consumer => "consumer",
            Self::Bridge => "bridge",
            Self::Ingress => "ingress",
            Self::Prometheus => "prometheus",
            Self::Viewer => "viewer",
        }
    }

    /// The ports it listens on; the first is the one clients use.
    pub const fn ports(self) -> &'static [Port] {
        match self {
            Self::Kafka => &[Port::Kafka, Port::KafkaController],
            Self::Redis => &[Port::Redis],
            Self::Mongodb => &[Port::Mongodb],
            Self::Grpc => &[Port::Grpc, Port::GrpcAdmin],
            Self::Rest => &[Port::Rest, Port::RestAdmin],
            Self::Consumer => &[Port::ConsumerAdmin],
            Self::Bridge => &[Port::Bridge, Port::BridgeAdmin],
            Self::Ingress => &[Port::Ingress, Port::IngressAdmin],
            Self::Prometheus => &[Port::Prometheus],
            Self::Viewer => &[Port::Viewer, Port::ViewerAdmin],
        }
    }

    /// The numbers of its ports.
    pub fn numbers(self, ports: &Ports) -> BTreeMap<Port, u16> {
        self.ports()
            .iter()
            .map(|port| (*port, ports.get(*port)))
            .collect()
    }

    /// Writes its configuration and says what to run.
    pub async fn prepare(self, place: &Place<'_>) -> Result<Launch> {
        let launch = match self {
            Self::Kafka => config::kafka(place).await?,
            Self::Redis => config::redis(place).await?,
            Self::Mongodb => config::mongodb(place)?,
            Self::Prometheus => prometheus::prepare(place)?,
            Self::Ingress => traefik::prepare(place)?,
            Self::Grpc => services::grpc(place),
            Self::Rest => services::rest(place),
            Self::Bridge => services::bridge(place),
            Self::Consumer => services::consumer(place),
            Self::Viewer => services::viewer(place)?,
        };
        let extra_args = place.settings.extra_args.get(self.name());
        Ok(launch.args(extra_args.into_iter().flatten()))
    }

    /// What is done once on the running server before it can be ready; repeated without harm.
    pub async fn initialise(self, settings: &Settings) -> Result<()> {
        match self {
            Self::Kafka => ready::create_topics(settings).await,
            Self::Mongodb => ready::initiate_replica_set(&settings.ports).await,
            _ => Ok(()),
        }
    }

    /// Asks the server itself; an error says what is not ready yet.
    pub async fn ready(self, ports: &Ports) -> Result<()> {
        match self {
            Self::Kafka => ready::kafka(ports).await,
            Self::Redis => ready::redis(ports).await,
            Self::Mongodb => ready::mongodb(ports).await,
            Self::Grpc => ready::http(&ports.url(Port::GrpcAdmin), "/readyz").await,
            Self::Rest => ready::http(&ports.url(Port::RestAdmin), "/readyz").await,
            Self::Bridge => ready::http(&ports.url(Port::BridgeAdmin), "/readyz").await,
            Self::Consumer => ready::http(&ports.url(Port::ConsumerAdmin), "/readyz").await,
            Self::Ingress => ready::ingress(ports).await,
            Self::Prometheus => ready::http(&ports.url(Port::Prometheus), "/-/ready").await,
            Self::Viewer => ready::http(&ports.url(Port::ViewerAdmin), "/readyz").await,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Where a server finds its programs, directories and settings.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The fetched programs.
    pub cache: &'a Cache,
    /// Data, configuration and logs.
    pub dir: &'a StateDir,
    /// Ports and tuning.
    pub settings: &'a Settings,
    /// The directory of the project's own programs.
    pub programs: &'a PathBuf,
}
