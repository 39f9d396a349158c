//! Reads a whole topic once, from the beginning to where it ends now: for counting what is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::metadata::MetadataTopic;
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

/// Shows every record of `topic` to `visit`, partition by partition in order, up to the ends that the topic has when
/// the scan starts. Joins no group and commits nothing. Blocks.
pub fn scan(brokers: &str, topic: &str, mut visit: impl FnMut(&Record)) -> Result<(), KafkaError> {
    let quiet = [
        ("enable.auto.commit", "false".to_owned()),
        ("group.id", "dualpath-scan".to_owned()),
    ];
    let consumer: BaseConsumer = settings::client(brokers, "dualpath-scan", &quiet).create()?;
    let mut open = open_partitions(&consumer, topic)?;
    let mut assignment = TopicPartitionList::new();
    for &partition in open.keys() {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;

    let mut last_record = Instant::now();
    while !open.is_empty() {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            if last_record.elapsed() > STALLED {
                let reason = format!(
                    "no record for {STALLED:?} while partitions {:?} are not read to their end",
                    open.keys()
                );
                return Err(KafkaError::Topic {
                    topic: topic.to_owned(),
                    reason,
                });
            }
            continue;
        };
        let message = message?;
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

/// The partitions that hold records, each with the offset at which it ends.
fn open_partitions(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let mut open = BTreeMap::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        if high > low {
            open.insert(partition.id(), high);
        }
    }
    Ok(open)
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
