//! The id of a topic, which Kafka assigns when the topic is created (KIP-516). A topic that is deleted and created again
//! has the same name and starts again at offset 0; only the id distinguishes the two.
//!
//! The client library does not expose the id, so this module sends its own metadata request.

mod connection;
mod scram;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::net::lookup_host;
use tokio::sync::Mutex;
use uuid::Uuid;

pub(crate) use self::connection::Connection;
use crate::broker_order::BrokerOrder;
use crate::{Brokers, KafkaError, Security};

/// The newest version of the metadata request that Kafka 2.8 supports. Version 10 introduced topic ids.
const METADATA_VERSION: i16 = 12;
/// The limit of one call. A call that reaches it has tried several brokers, and the next call begins with the others.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The minimum time limit for one broker or one of its addresses, to accept a connection and to respond.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks the brokers for the current id of a topic. Keeps one connection; concurrent callers share one response.
#[derive(Debug)]
pub struct TopicIds {
    topic: String,
    security: Security,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    brokers: BrokerOrder,
    /// The number of addresses that have failed. A host name may have several addresses; the next call
    /// begins with the next one.
    failed_addresses: usize,
    idle_connection: Option<Connection>,
    /// The last id, and when it was requested.
    last: Option<(Instant, Uuid)>,
}

impl TopicIds {
    /// For `topic`. Connects on first use.
    pub fn new(brokers: impl Into<Brokers>, topic: &str) -> Self {
        let Brokers { addresses, security } = brokers.into();
        Self {
            topic: topic.to_owned(),
            security,
            state: Mutex::new(State {
                brokers: BrokerOrder::new(&addresses),
                failed_addresses: 0,
                idle_connection: None,
                last: None,
            }),
        }
    }

    /// The topic's id, from a request that was sent at or after `moment`. If it equals an id from before `moment`, then all
    /// records that were read in between belong to this topic. Errors if no broker responds or if the topic does not exist.
    pub async fn requested_after(&self, moment: Instant) -> Result<Uuid, KafkaError> {
        let mut state = self.state.lock().await;
        if let Some((requested_at, id)) = state.last
            && requested_at >= moment
        {
            return Ok(id);
        }
        let requested_at = Instant::now();
        let id = self.fetch(&mut state).await?;
        state.last = Some((requested_at, id));
        Ok(id)
    }

    async fn fetch(&self, state: &mut State) -> Result<Uuid, KafkaError> {
        let deadline = Instant::now() + TIMEOUT;
        // Several brokers share the time of a call, so that one that does not respond leaves time for the others.
        let limit = share(state.brokers.len());
        let mut failures = Vec::new();
        // Take the connection out: a request that fails or is cancelled must not leave a half-used connection.
        if let Some(mut connection) = state.idle_connection.take() {
            let limit = share(state.brokers.len() + 1);
            match within(limit, deadline, self.request(&mut connection)).await {
                Ok(response) => return self.finish(state, connection, &response),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    failures.push(format!("the open connection: {error}"));
                    state.brokers.first_failed();
                }
                // The broker has closed the connection, for example because it was idle. It may accept a new one.
                Err(_) => {}
            }
        }
        for _ in 0..state.brokers.len() {
            let Some(broker) = state.brokers.first().map(str::to_owned) else {
                break;
            };
            if Instant::now() >= deadline {
                break;
            }
            match self
                .ask(&broker, limit, deadline, &mut state.failed_addresses)
                .await
            {
                Ok((connection, response)) => return self.finish(state, connection, &response),
                Err(error) => failures.push(format!("{broker}: {error}")),
            }
            state.brokers.first_failed();
        }
        let reason = if failures.is_empty() {
            "the list of brokers is empty".to_owned()
        } else {
            format!("no broker returned its id: {}", failures.join("; "))
        };
        Err(self.error(reason))
    }

    /// Asks one broker, each address of its name in turn.
    async fn ask(
        &self,
        broker: &str,
        limit: Duration,
        deadline: Instant,
        failed_addresses: &mut usize,
    ) -> std::io::Result<(Connection, MetadataResponse)> {
        let mut addresses: Vec<SocketAddr> = within(limit, deadline, lookup_host(broker)).await?.collect();
        // A resolver may return them in another order each time.
        addresses.sort_unstable();
        let first = failed_addresses.checked_rem(addresses.len()).unwrap_or_default();
        addresses.rotate_left(first);
        let limit = limit.min(share(addresses.len()));
        let mut failure = std::io::Error::other("the name has no address");
        for address in addresses {
            let attempt = async {
                let mut connection = Connection::open(broker, address, &self.security).await?;
                let response = self.request(&mut connection).await?;
                Ok((connection, response))
            };
            match within(limit, deadline, attempt).await {
                Ok(answered) => return Ok(answered),
                Err(error) => failure = error,
            }
            *failed_addresses = failed_addresses.wrapping_add(1);
        }
        Err(failure)
    }

    fn finish(
        &self,
        state: &mut State,
        connection: Connection,
        response: &MetadataResponse,
    ) -> Result<Uuid, KafkaError> {
        let known = response
            .brokers
            .iter()
            .map(|broker| format!("{}:{}", broker.host.as_str(), broker.port));
        state.brokers.set_discovered(known.collect());
        state.idle_connection = Some(connection);
        self.parse(response)
    }

    async fn request(&self, connection: &mut Connection) -> std::io::Result<MetadataResponse> {
        let name = TopicName(StrBytes::from_string(self.topic.clone()));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name))]))
            .with_allow_auto_topic_creation(false);
        connection
            .call(ApiKey::Metadata, &request, METADATA_VERSION)
            .await
    }

    fn parse(&self, response: &MetadataResponse) -> Result<Uuid, KafkaError> {
        let topic = response.topics.first();
        let topic =
            topic.ok_or_else(|| self.error("the metadata response does not contain it".to_owned()))?;
        match kafka_protocol::ResponseError::try_from_code(topic.error_code) {
            Some(error) => Err(self.error(error.to_string())),
            None if topic.topic_id.is_nil() => {
                Err(self.error("has no id: upgrade the brokers to Kafka 2.8 or later".to_owned()))
            }
            None => Ok(topic.topic_id),
        }
    }

    fn error(&self, reason: String) -> KafkaError {
        KafkaError::Topic {
            topic: self.topic.clone(),
            reason,
        }
    }
}

/// The time that each of several candidates has.
fn share(candidates: usize) -> Duration {
    let candidates = u32::try_from(candidates).unwrap_or(u32::MAX);
    TIMEOUT
        .checked_div(candidates)
        .unwrap_or(TIMEOUT)
        .max(MIN_TIMEOUT)
}

/// Limits an attempt by its own time and by the time of the whole call.
async fn within<T>(
    limit: Duration,
    deadline: Instant,
    attempt: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    let limit = limit.min(deadline.saturating_duration_since(Instant::now()));
    match tokio::time::timeout(limit, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("did not respond within {} ms", limit.as_millis()),
        )),
    }
}

#[cfg(test)]
mod tests;
