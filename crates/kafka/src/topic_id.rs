//! Which topic a name means: the id that Kafka gave it when it was made (KIP-516). A topic that was deleted and made
//! again has the same name and starts again at offset 0; only its id tells.
//!
//! The client library keeps the id to itself, so it is asked for here, in a metadata request of our own.

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

/// The newest version of the metadata request that brokers since 2.8 know; ids came with version 10.
const METADATA_VERSION: i16 = 12;
const TIMEOUT: Duration = Duration::from_secs(5);
/// Metadata of one topic is below a kilobyte a broker; a longer answer is none.
const MAX_RESPONSE_BYTES: u32 = 4 * 1024 * 1024;

/// Answers which topic the name means now. One connection, kept; callers at the same time share an answer.
#[derive(Debug)]
pub struct TopicIds {
    brokers: Vec<String>,
    topic: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<TcpStream>,
    /// The last answer, and when it was asked for.
    last: Option<(Instant, Uuid)>,
}

impl TopicIds {
    /// Of `topic`; `brokers` as host:port, comma-separated. Connects when first asked.
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

    /// The topic's id at some time after `moment`. What was read from the topic before `moment` and belongs to this id
    /// can belong to no later one. Errors if no broker answers, or if there is no such topic.
    pub async fn after(&self, moment: Instant) -> Result<Uuid, KafkaError> {
        let mut state = self.state.lock().await;
        if let Some((asked, id)) = state.last
            && asked >= moment
        {
            return Ok(id);
        }
        let asked = Instant::now();
        let id = tokio::time::timeout(TIMEOUT, self.ask(&mut state.connection))
            .await
            .unwrap_or_else(|_| Err(self.error(format!("no broker told its id within {TIMEOUT:?}"))))?;
        state.last = Some((asked, id));
        Ok(id)
    }

    async fn ask(&self, kept: &mut Option<TcpStream>) -> Result<Uuid, KafkaError> {
        // Taken: a request that fails or is given up half way leaves no connection behind.
        if let Some(mut connection) = kept.take()
            && let Ok(response) = self.request(&mut connection).await
        {
            *kept = Some(connection);
            return self.read(&response);
        }
        let mut failure = "no brokers are named".to_owned();
        for broker in &self.brokers {
            let attempt = async {
                let mut connection = TcpStream::connect(broker.as_str()).await?;
                // A small request that somebody waits for.
                connection.set_nodelay(true)?;
                let response = self.request(&mut connection).await?;
                std::io::Result::Ok((connection, response))
            };
            match attempt.await {
                Ok((connection, response)) => {
                    *kept = Some(connection);
                    return self.read(&response);
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
            return Err(std::io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut answer = vec![0; length as usize];
        connection.read_exact(&mut answer).await?;
        let mut answer = bytes::Bytes::from(answer);
        let header_version = MetadataResponse::header_version(METADATA_VERSION);
        ResponseHeader::decode(&mut answer, header_version).map_err(invalid)?;
        MetadataResponse::decode(&mut answer, METADATA_VERSION).map_err(invalid)
    }

    fn read(&self, response: &MetadataResponse) -> Result<Uuid, KafkaError> {
        let topic = response.topics.first();
        let topic = topic.ok_or_else(|| self.error("no broker described it".to_owned()))?;
        match kafka_protocol::ResponseError::try_from_code(topic.error_code) {
            Some(error) => Err(self.error(error.to_string())),
            None if topic.topic_id.is_nil() => {
                Err(self.error("has no id: Kafka 2.8 or later gives it one".to_owned()))
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
