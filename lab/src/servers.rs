//! The servers of the stack: their names, their ports and the order in which they start.
//!
//! This is a leaf module: it depends only on `ports`. The module `launch` configures, starts and checks the servers.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::ports::{Port, Ports};

/// A server of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// Apache Kafka, one KRaft node.
    Kafka,
    /// Redis: the tally.
    Redis,
    /// MongoDB, replica set `rs0`: the log of votes.
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
    /// `viewer`: the page of votes, tallies and routes.
    Viewer,
}

impl Server {
    /// All servers by start stage. The servers of one stage do not depend on each other and start together. The stages
    /// start in this order and stop in reverse.
    pub const START_STAGES: [&'static [Self]; 4] = [
        &[Self::Kafka, Self::Redis, Self::Mongodb],
        &[Self::Grpc, Self::Rest, Self::Consumer],
        &[Self::Bridge],
        &[Self::Ingress, Self::Prometheus, Self::Viewer],
    ];

    /// All servers in start order.
    pub fn all() -> Vec<Self> {
        Self::START_STAGES.concat()
    }

    /// The server of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|server| server.name() == name)
    }

    /// The server's name in commands, files and metrics.
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

    /// The ports on which the server listens. Clients use the first.
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

    /// The numbers of the ports as text, such as `8080, 9101`.
    pub fn list_ports(self, ports: &Ports) -> String {
        let numbers = self.ports().iter().map(|port| ports.get(*port).to_string());
        numbers.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
