//! The records of a topic: how a vote becomes a record, and how a stored record is read.

use ingest::EncodedVote;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::FutureRecord;

/// A record as it is stored in a topic.
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
    /// The record's timestamp: milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
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

/// Builds the record of a vote. `key` is the vote's id as text; without `partition`, the key selects the partition.
/// Record headers go here: `FutureRecord::headers`.
pub(crate) fn vote_record<'a>(
    topic: &'a str,
    key: &'a str,
    partition: Option<i32>,
    vote: &'a EncodedVote,
) -> FutureRecord<'a, str, Vec<u8>> {
    let mut record = FutureRecord::to(topic).key(key).payload(&vote.payload);
    record.partition = partition;
    record
}
