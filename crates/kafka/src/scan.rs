//! Reads a topic once, from its beginning: for counting what is there. Joins no group and commits nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::{KafkaError, settings};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Without a record for this long, a scan that is not at its end has lost its broker.
const STALLED: Duration = Duration::from_secs(30);

/// A record as it lies in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; empty for a tombstone.
    pub payload: Vec<u8>,
    /// Names and values of the headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The record's time stamp: milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
}

/// The offsets that a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first offset that is still there: above 0 where retention has deleted records.
    pub first: i64,
    /// The offset that the next record will have.
    pub end: i64,
}

/// What each partition of `topic` holds now; nothing where there is no such topic. Blocks.
pub fn extents(brokers: &str, topic: &str) -> Result<BTreeMap<i32, Extent>, KafkaError> {
    extents_seen_by(&consumer(brokers)?, topic)
}

/// Shows every record of `topic` to `visit`, each partition in order, up to the ends that the topic has when the scan
/// starts. Blocks.
pub fn scan(brokers: &str, topic: &str, visit: impl FnMut(&Record)) -> Result<(), KafkaError> {
    let consumer = consumer(brokers)?;
    let extents = extents_seen_by(&consumer, topic)?;
    let ends = extents
        .into_iter()
        .map(|(partition, extent)| (partition, extent.end));
    read(&consumer, topic, ends.collect(), visit)
}

/// As [`scan`], but up to the end named for each partition, or to the partition's own if that comes first; a partition
/// without one is left out. Blocks.
pub fn scan_until(
    brokers: &str,
    topic: &str,
    ends: &BTreeMap<i32, i64>,
    visit: impl FnMut(&Record),
) -> Result<(), KafkaError> {
    read(&consumer(brokers)?, topic, ends.clone(), visit)
}

fn consumer(brokers: &str) -> Result<BaseConsumer, KafkaError> {
    let quiet = [
        ("enable.auto.commit", "false".to_owned()),
        ("group.id", "dualpath-scan".to_owned()),
        // The last offsets of a partition may hold nothing that is ever delivered (control records, compaction).
        ("enable.partition.eof", "true".to_owned()),
    ];
    Ok(settings::client(brokers, "dualpath-scan", &quiet).create()?)
}

fn extents_seen_by(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, Extent>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let mut extents = BTreeMap::new();
    for described in metadata.topics() {
        match described.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => continue,
            Some(code) => return Err(failure(topic, code.to_string())),
        }
        for partition in described.partitions() {
            let (first, end) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
            extents.insert(partition.id(), Extent { first, end });
        }
    }
    Ok(extents)
}

/// Reads until every partition of `open` has reached the offset that stands there, or its end.
fn read(
    consumer: &BaseConsumer,
    topic: &str,
    mut open: BTreeMap<i32, i64>,
    mut visit: impl FnMut(&Record),
) -> Result<(), KafkaError> {
    open.retain(|_, end| *end > 0);
    let mut assignment = TopicPartitionList::new();
    for &partition in open.keys() {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut last_record = Instant::now();
    while !open.is_empty() {
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(ClientError::PartitionEOF(partition))) => {
                open.remove(&partition);
                continue;
            }
            Some(Err(error)) if !is_connection_lost(&error) => return Err(error.into()),
            Some(Err(_)) | None if last_record.elapsed() > STALLED => {
                let partitions: Vec<_> = open.keys().collect();
                let reason = format!(
                    "no record for {STALLED:?}, and partitions {partitions:?} are not read to their end"
                );
                return Err(failure(topic, reason));
            }
            Some(Err(_)) | None => continue,
        };
        last_record = Instant::now();
        let Some(&end) = open.get(&message.partition()) else {
            continue;
        };
        if message.offset() < end {
            visit(&Record::from_message(&message));
        }
        if message.offset() + 1 >= end {
            open.remove(&message.partition());
        }
    }
    Ok(())
}

/// The client library connects again by itself.
fn is_connection_lost(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    matches!(
        error.rdkafka_error_code(),
        Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve)
    )
}

fn failure(topic: &str, reason: String) -> KafkaError {
    KafkaError::Topic {
        topic: topic.to_owned(),
        reason,
    }
}

impl Record {
    pub(crate) fn from_message(message: &impl Message) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                .collect(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }
}
