//! The brokers, and how clients of this crate connect to them.

use crate::{KafkaError, Security, SecurityArgs};

/// Options of all programs that connect to Kafka.
#[derive(Clone, Debug, clap::Args)]
pub struct BrokerArgs {
    /// Kafka brokers, as host:port, comma-separated
    #[arg(
        long = "kafka-brokers",
        env = "KAFKA_BROKERS",
        default_value = "127.0.0.1:9092",
        value_parser = parse_addresses
    )]
    pub addresses: String,

    /// Encryption and login.
    #[command(flatten)]
    pub security: SecurityArgs,
}

/// The addresses of brokers, and how to connect to them.
#[derive(Clone, Debug)]
pub struct Brokers {
    pub(crate) addresses: String,
    pub(crate) security: Security,
}

impl BrokerArgs {
    /// Brokers without encryption and login.
    pub fn plaintext(addresses: &str) -> Self {
        Self {
            addresses: addresses.to_owned(),
            security: SecurityArgs::default(),
        }
    }

    /// Reads the files of the options. Errors if one is missing or invalid, or if options contradict each other.
    pub fn open(&self) -> Result<Brokers, KafkaError> {
        Ok(Brokers {
            addresses: self.addresses.clone(),
            security: self.security.open()?,
        })
    }
}

/// Brokers without encryption and login.
impl From<&str> for Brokers {
    fn from(addresses: &str) -> Self {
        Self {
            addresses: addresses.to_owned(),
            security: Security::default(),
        }
    }
}

/// Brokers without encryption and login.
impl From<&String> for Brokers {
    fn from(addresses: &String) -> Self {
        addresses.as_str().into()
    }
}

impl From<&Self> for Brokers {
    fn from(brokers: &Self) -> Self {
        brokers.clone()
    }
}

/// Parses a list of brokers. The client library logs the addresses of brokers, so they must not contain a password.
fn parse_addresses(text: &str) -> Result<String, String> {
    if text.contains('@') {
        Err("expected host:port, comma-separated, without a user and a password".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
