//! The ports of the stack: names, default numbers and overrides.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A port of the stack; all are on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // Each port has the name of its server.
pub enum Port {
    Ingress,
    IngressAdmin,
    Rest,
    RestAdmin,
    Grpc,
    GrpcAdmin,
    Bridge,
    BridgeAdmin,
    ConsumerAdmin,
    Kafka,
    KafkaController,
    Redis,
    Mongodb,
    Prometheus,
    Viewer,
    ViewerAdmin,
}

impl Port {
    /// The default number.
    pub const fn default_number(self) -> u16 {
        match self {
            Self::Ingress => 8000,
            Self::IngressAdmin => 9106,
            Self::Rest => 8080,
            Self::RestAdmin => 9101,
            Self::Grpc => 50051,
            Self::GrpcAdmin => 9102,
            Self::Bridge => 8081,
            Self::BridgeAdmin => 9103,
            Self::ConsumerAdmin => 9104,
            Self::Kafka => 9092,
            Self::KafkaController => 9093,
            Self::Redis => 6379,
            Self::Mongodb => 27017,
            Self::Prometheus => 9090,
            Self::Viewer => 8090,
            Self::ViewerAdmin => 9105,
        }
    }

    /// The name in commands, templates and files, such as `rest-admin`.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

/// The value of the option `--port`: `NAME=NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortOverride(pub Port, pub u16);

impl FromStr for PortOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text
            .split_once('=')
            .ok_or("expected NAME=NUMBER, such as kafka=19092")?;
        let port = Port::from_str(name, false).map_err(|_| {
            let known: Vec<String> = Port::value_variants().iter().map(|port| port.name()).collect();
            format!("unknown port {name:?}; the ports are {}", known.join(", "))
        })?;
        match number.parse() {
            Ok(0) | Err(_) => Err(format!("{number:?} is not a port number (1 to 65535)")),
            Ok(number) => Ok(Self(port, number)),
        }
    }
}

/// The number of each port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ports(BTreeMap<Port, u16>);

impl Ports {
    /// Assigns the numbers: first `overrides`, then free numbers if `free` is set, otherwise the defaults. Two ports with
    /// the same number are an error.
    pub fn choose(overrides: &[PortOverride], free: bool) -> Result<Self> {
        let mut numbers: BTreeMap<Port, u16> = BTreeMap::new();
        let mut candidates = free_numbers();
        for port in Port::value_variants() {
            let number = match overrides.iter().rfind(|entry| entry.0 == *port) {
                Some(entry) => entry.1,
                None if free => candidates.next().context(
                    "no port from 10000 to 29999 is free: stop other processes, or set numbers with --port",
                )?,
                None => port.default_number(),
            };
            if let Some((other, _)) = numbers.iter().find(|(_, assigned)| **assigned == number) {
                bail!(
                    "the ports {other} and {port} both have the number {number}: change one of them with --port"
                );
            }
            numbers.insert(*port, number);
        }
        Ok(Self(numbers))
    }

    /// The same ports, but with free numbers for `ports`.
    #[must_use]
    pub fn with_free(&self, ports: &[Port]) -> Self {
        let mut numbers = self.0.clone();
        for (port, number) in ports.iter().zip(free_numbers()) {
            numbers.insert(*port, number);
        }
        Self(numbers)
    }

    /// The number of a port.
    pub fn get(&self, port: Port) -> u16 {
        self.0
            .get(&port)
            .copied()
            .unwrap_or_else(|| port.default_number())
    }

    /// `127.0.0.1:<number>`.
    pub fn address(&self, port: Port) -> String {
        format!("127.0.0.1:{}", self.get(port))
    }
}

/// Whether a server can listen on this port of 127.0.0.1 now.
pub fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

/// A free address on 127.0.0.1, for a process that is not part of a stack.
pub fn free_address() -> Result<SocketAddr> {
    let number = free_numbers()
        .next()
        .context("no port from 10000 to 29999 is free: stop other processes")?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))
}

/// Free port numbers, from a random start. They are below the kernel's range for outgoing connections: such a connection
/// could otherwise use the port before the server starts.
fn free_numbers() -> impl Iterator<Item = u16> {
    const LOWEST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    let offset = (uuid::Uuid::new_v4().as_u128() % u128::from(COUNT)) as u16;
    (0..COUNT)
        .map(move |step| LOWEST + (offset + step) % COUNT)
        .filter(|number| is_free(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_has_a_port_name_and_a_number() {
        assert_eq!("kafka=19092".parse(), Ok(PortOverride(Port::Kafka, 19092)));
        assert_eq!("rest-admin=1".parse(), Ok(PortOverride(Port::RestAdmin, 1)));
    }

    #[test]
    fn error_of_an_invalid_override_names_the_cause() {
        for (text, part) in [
            ("kafka", "NAME=NUMBER"),
            ("kafak=1", "kafka-controller"),
            ("kafka=0", "1 to 65535"),
            ("kafka=65536", "65536"),
            ("kafka=x", "\"x\""),
        ] {
            let error = text.parse::<PortOverride>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn defaults_are_distinct_and_overrides_replace_them() {
        let ports = Ports::choose(&[PortOverride(Port::Kafka, 19092)], false).unwrap();
        assert_eq!(ports.get(Port::Kafka), 19092);
        assert_eq!(ports.get(Port::Ingress), 8000);
    }

    #[test]
    fn error_of_a_duplicate_number_names_both_ports() {
        let error = Ports::choose(&[PortOverride(Port::Kafka, 6379)], false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("kafka") && error.contains("redis") && error.contains("6379"),
            "{error}"
        );
    }

    #[test]
    fn free_ports_are_free_and_distinct() {
        let ports = Ports::choose(&[], true).unwrap();
        assert!(
            Port::value_variants()
                .iter()
                .all(|port| is_free(ports.get(*port)))
        );
    }
}
