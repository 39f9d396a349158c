//! Reads a topic once, from its beginning, for commands that count its records. Joins no group and commits nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::context::Context;
use crate::{Brokers, KafkaError, Record, reader};

const TIMEOUT: Duration = Duration::from_secs(10);
/// A scan that is not at its end and receives no record for this long fails: the broker is unreachable.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The offsets that a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first offset that still exists: above 0 where retention has deleted records.
    pub first: i64,
    /// The offset of the next record to be written.
    pub end: i64,
}

/// The offsets that each partition of `topic` holds now; empty if the topic does not exist. Blocks.
pub fn extents(brokers: impl Into<Brokers>, topic: &str) -> Result<BTreeMap<i32, Extent>, KafkaError> {
    fetch_extents(&consumer(&brokers.into())?, topic)
}

/// Calls `visit` with every record of `topic`, each partition in order, up to the end that each partition has when the
/// scan starts. Blocks.
pub fn scan(brokers: impl Into<Brokers>, topic: &str, visit: impl FnMut(&Record)) -> Result<(), KafkaError> {
    let consumer = consumer(&brokers.into())?;
    let extents = fetch_extents(&consumer, topic)?;
    let ends = extents
        .into_iter()
        .map(|(partition, extent)| (partition, extent.end));
    read(&consumer, topic, ends.collect(), visit)
}

/// Like [`scan`], but reads each partition up to the offset in `ends`, or to the end of the partition if that comes
/// first. Skips partitions that are not in `ends`. Blocks.
pub fn scan_until(
    brokers: impl Into<Brokers>,
    topic: &str,
    ends: &BTreeMap<i32, i64>,
    visit: impl FnMut(&Record),
) -> Result<(), KafkaError> {
    read(&consumer(&brokers.into())?, topic, ends.clone(), visit)
}

fn consumer(brokers: &Brokers) -> Result<BaseConsumer<Context>, KafkaError> {
    let scan_settings = [
        ("enable.auto.commit", "false".to_owned()),
        ("group.id", "dualpath-scan".to_owned()),
        // The last offsets of a partition may never be delivered (control records, compaction).
        ("enable.partition.eof", "true".to_owned()),
    ];
    reader::open(brokers, "dualpath-scan", &scan_settings)
}

fn fetch_extents(consumer: &BaseConsumer<Context>, topic: &str) -> Result<BTreeMap<i32, Extent>, KafkaError> {
    let metadata = consumer
        .fetch_metadata(Some(topic), TIMEOUT)
        .map_err(|error| reader::explain(consumer, &error))?;
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

/// Reads until every partition of `remaining` has reached its offset in `remaining`, or its end.
fn read(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    mut remaining: BTreeMap<i32, i64>,
    mut visit: impl FnMut(&Record),
) -> Result<(), KafkaError> {
    remaining.retain(|_, end| *end > 0);
    let mut assignment = TopicPartitionList::new();
    for &partition in remaining.keys() {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut last_record = Instant::now();
    while !remaining.is_empty() {
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(ClientError::PartitionEOF(partition))) => {
                remaining.remove(&partition);
                continue;
            }
            Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
            Some(Err(_)) | None if last_record.elapsed() > STALL_TIMEOUT => {
                let partitions: Vec<_> = remaining.keys().collect();
                let reason = format!(
                    "no record arrived for {STALL_TIMEOUT:?}, and partitions {partitions:?} are not read to the end: \
                     check the broker"
                );
                return Err(failure(topic, reason));
            }
            Some(Err(_)) | None => continue,
        };
        last_record = Instant::now();
        let Some(&end) = remaining.get(&message.partition()) else {
            continue;
        };
        if message.offset() < end {
            visit(&Record::from_message(&message));
        }
        if message.offset() + 1 >= end {
            remaining.remove(&message.partition());
        }
    }
    Ok(())
}

/// Whether the scan can continue. The client library reconnects after a lost connection. It also looks up the coordinator of
/// the group, which the user may not be allowed to use, but a scan joins no group.
fn is_passing(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, GroupAuthorizationFailed, OperationTimedOut, Resolve,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            AllBrokersDown | BrokerTransportFailure | GroupAuthorizationFailed | OperationTimedOut | Resolve
        )
    )
}

fn failure(topic: &str, reason: String) -> KafkaError {
    KafkaError::Topic {
        topic: topic.to_owned(),
        reason,
    }
}
