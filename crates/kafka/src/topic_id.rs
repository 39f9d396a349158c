//! The id of a topic, which Kafka assigns when the topic is created (KIP-516). A topic that is deleted and created again
//! has the same name and starts again at offset 0; only the id distinguishes the two.
//!
//! The client library does not expose the id, so this module sends its own metadata request.

use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, encode_request_header_into_buffer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::KafkaError;

/// The newest version of the metadata request that Kafka 2.8 supports. Version 10 introduced topic ids.
const METADATA_VERSION: i16 = 12;
const TIMEOUT: Duration = Duration::from_secs(5);
/// The metadata of one topic takes less than one kilobyte per broker; a longer response is invalid.
const MAX_RESPONSE_BYTES: u32 = 4 * 1024 * 1024;

/// Asks the brokers for the current id of a topic. Keeps one connection; concurrent callers share one response.
#[derive(Debug)]
pub struct TopicIds {
    brokers: Vec<String>,
    topic: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle_connection: Option<TcpStream>,
    /// The last id, and when it was requested.
    last: Option<(Instant, Uuid)>,
}

impl TopicIds {
    /// For `topic`; `brokers` as host:port, comma-separated. Connects on first use.
    pub fn new(brokers: &str, topic: &str) -> Self {
        Self {
            brokers: brokers
                .split(',')
                .map(|broker| broker.trim().to_owned())
                .collect(),
            topic: topic.to_owned(),
            state: Mutex::default(),
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
        let id = tokio::time::timeout(TIMEOUT, self.fetch(&mut state.idle_connection))
            .await
            .unwrap_or_else(|_| Err(self.error(format!("no broker returned its id within {TIMEOUT:?}"))))?;
        state.last = Some((requested_at, id));
        Ok(id)
    }

    async fn fetch(&self, idle_connection: &mut Option<TcpStream>) -> Result<Uuid, KafkaError> {
        // Take the connection out: a request that fails or is cancelled must not leave a half-used connection.
        if let Some(mut connection) = idle_connection.take()
            && let Ok(response) = self.request(&mut connection).await
        {
            *idle_connection = Some(connection);
            return self.parse(&response);
        }
        let mut failure = "the list of brokers is empty".to_owned();
        for broker in &self.brokers {
            let attempt = async {
                let mut connection = TcpStream::connect(broker.as_str()).await?;
                // The request is small, and batches wait for the response.
                connection.set_nodelay(true)?;
                let response = self.request(&mut connection).await?;
                std::io::Result::Ok((connection, response))
            };
            match attempt.await {
                Ok((connection, response)) => {
                    *idle_connection = Some(connection);
                    return self.parse(&response);
                }
                Err(error) => failure = format!("{broker}: {error}"),
            }
        }
        Err(self.error(failure))
    }

    async fn request(&self, connection: &mut TcpStream) -> std::io::Result<MetadataResponse> {
        let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{error}"));
        let name = TopicName(StrBytes::from_string(self.topic.clone()));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name))]))
            .with_allow_auto_topic_creation(false);
        let header = RequestHeader::default()
            .with_request_api_key(ApiKey::Metadata as i16)
            .with_request_api_version(METADATA_VERSION)
            .with_client_id(Some(StrBytes::from_static_str("dualpath-topic-id")));
        let mut frame = bytes::BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &header).map_err(invalid)?;
        request.encode(&mut frame, METADATA_VERSION).map_err(invalid)?;
        connection
            .write_u32(u32::try_from(frame.len()).map_err(std::io::Error::other)?)
            .await?;
        connection.write_all(&frame).await?;

        let length = connection.read_u32().await?;
        if length > MAX_RESPONSE_BYTES {
            return Err(std::io::Error::other(format!(
                "the response has {length} bytes, more than {MAX_RESPONSE_BYTES}"
            )));
        }
        let mut response = vec![0; length as usize];
        connection.read_exact(&mut response).await?;
        let mut response = bytes::Bytes::from(response);
        let header_version = MetadataResponse::header_version(METADATA_VERSION);
        ResponseHeader::decode(&mut response, header_version).map_err(invalid)?;
        MetadataResponse::decode(&mut response, METADATA_VERSION).map_err(invalid)
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
