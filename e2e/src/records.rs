//! What lies in Kafka, found by receipt.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use prost::Message;
use proto::votes::{Receipt, VoteEvent};

/// The records of the topic `votes`, by partition and offset.
#[derive(Debug)]
pub struct Records(HashMap<(i32, i64), kafka::Record>);

impl Records {
    /// Reads the whole topic. Blocks.
    pub fn read(brokers: &str) -> Result<Self> {
        let mut records = HashMap::new();
        kafka::scan(brokers, "votes", |record| {
            records.insert((record.partition, record.offset), record.clone());
        })?;
        Ok(Self(records))
    }

    /// The event that a receipt points to. Its key must be the vote's id, and its bytes must be what encoding it gives:
    /// then two events that are equal are equal byte for byte.
    pub fn event(&self, receipt: &Receipt) -> Result<VoteEvent> {
        let record = self
            .0
            .get(&(receipt.partition, receipt.offset))
            .context("no record where the receipt points")?;
        ensure!(
            record.key.as_deref() == Some(receipt.vote_id.as_bytes()),
            "the key is not the vote's id"
        );
        ensure!(record.headers.is_empty(), "a vote's record has no headers");
        let event = VoteEvent::decode(record.payload.as_slice())?;
        ensure!(
            event.encode_to_vec() == record.payload,
            "the value has bytes that the event does not account for"
        );
        ensure!(
            event.vote_id == receipt.vote_id,
            "the value has another id than the receipt"
        );
        Ok(event)
    }

    /// All vote ids in the topic, as often as they occur.
    pub fn ids(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .values()
            .filter_map(|record| String::from_utf8(record.key.clone()?).ok())
    }
}
