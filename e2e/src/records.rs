//! The records of the topic `votes`, looked up by receipt.

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

    /// The event that a receipt points to. Returns an error if the key is not the vote's id, or if encoding the event again
    /// gives other bytes: equal events must be equal byte by byte.
    pub fn event(&self, receipt: &Receipt) -> Result<VoteEvent> {
        let record = self
            .0
            .get(&(receipt.partition, receipt.offset))
            .context("no record at the partition and offset of the receipt")?;
        ensure!(
            record.key.as_deref() == Some(receipt.vote_id.as_bytes()),
            "the record's key is not the vote's id"
        );
        ensure!(
            record.headers.is_empty(),
            "the record of a vote must not have headers"
        );
        let event = VoteEvent::decode(record.payload.as_slice())?;
        ensure!(
            event.encode_to_vec() == record.payload,
            "encoding the event again gives other bytes than the record's value"
        );
        ensure!(
            event.vote_id == receipt.vote_id,
            "the record's value has another vote id than the receipt"
        );
        Ok(event)
    }

    /// The vote id of every record. A vote with several records occurs several times.
    pub fn ids(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .values()
            .filter_map(|record| String::from_utf8(record.key.clone()?).ok())
    }
}
