//! The access control list: which user may do what. The client library for Rust does not offer it.

use std::io;

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::{ApiKey, CreateAclsRequest, CreateAclsResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::net::lookup_host;

use crate::topic_id::Connection;
use crate::{Brokers, KafkaError};

/// Since Kafka 2.0.
const VERSION: i16 = 1;
/// The numbers of the protocol.
const LITERAL: i8 = 3;
const ALLOW: i8 = 3;

/// Allows a user some operations on a resource, from any host.
#[derive(Clone, Copy, Debug)]
pub struct AclEntry<'a> {
    /// The name of the user.
    pub user: &'a str,
    /// The resource.
    pub resource: Resource<'a>,
    /// The operations.
    pub operations: &'a [Operation],
}

/// A resource of Kafka, by its kind and name.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
}

/// What a user may do.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Read records, or join a group.
    Read,
    /// Write records.
    Write,
    /// Read metadata.
    Describe,
}

/// Adds the entries. An entry that exists already stays.
pub async fn allow(brokers: impl Into<Brokers>, entries: &[AclEntry<'_>]) -> Result<(), KafkaError> {
    let brokers = brokers.into();
    let sent = send(&brokers, entries).await;
    sent.map_err(|error| KafkaError::Security(format!("cannot add access control entries: {error}")))
}

async fn send(brokers: &Brokers, entries: &[AclEntry<'_>]) -> io::Result<()> {
    let broker = brokers.addresses.split(',').next().unwrap_or_default();
    let address = lookup_host(broker).await?.next();
    let address = address.ok_or_else(|| io::Error::other(format!("{broker} has no address")))?;
    let mut connection = Connection::open(broker, address, &brokers.security).await?;
    let creations = entries.iter().flat_map(AclEntry::creations).collect();
    let request = CreateAclsRequest::default().with_creations(creations);
    let response: CreateAclsResponse = connection.call(ApiKey::CreateAcls, &request, VERSION).await?;
    match response.results.iter().find(|result| result.error_code != 0) {
        None => Ok(()),
        Some(result) => {
            let reason = result.error_message.as_ref().map_or("", StrBytes::as_str);
            Err(io::Error::other(format!(
                "Kafka answers with the error code {}: {reason}",
                result.error_code
            )))
        }
    }
}

impl AclEntry<'_> {
    fn creations(&self) -> impl Iterator<Item = AclCreation> {
        let (resource_type, name) = match self.resource {
            Resource::Topic(name) => (2, name),
            Resource::Group(name) => (3, name),
        };
        self.operations.iter().map(move |operation| {
            AclCreation::default()
                .with_resource_type(resource_type)
                .with_resource_name(StrBytes::from_string(name.to_owned()))
                .with_resource_pattern_type(LITERAL)
                .with_principal(StrBytes::from_string(format!("User:{}", self.user)))
                .with_host(StrBytes::from_static_str("*"))
                .with_operation(operation.number())
                .with_permission_type(ALLOW)
        })
    }
}

impl Operation {
    const fn number(self) -> i8 {
        match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Describe => 8,
        }
    }
}
