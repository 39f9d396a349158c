//! The events of the consuming thread, and the answers of the source's owner. Imports no other module of the source.

use std::sync::mpsc::SyncSender;

use tokio::sync::OwnedSemaphorePermit;

use crate::Record;

/// An event of the consuming thread. The channel keeps the order of the events.
#[derive(Debug)]
pub enum SourceEvent {
    /// The group assigned partitions to this member. Their records follow after `start` is answered, from the offsets
    /// in the answer.
    Assigned {
        /// The partitions.
        partitions: Vec<i32>,
        /// Takes the offset at which each partition starts.
        start: OffsetsReply,
    },
    /// The group revokes partitions. The thread waits at most 10 s for the answer: the applied offset of each, to be
    /// committed.
    Revoked {
        /// The partitions.
        partitions: Vec<i32>,
        /// Takes the applied offsets when no batch of the partitions is in flight any more.
        done: OffsetsReply,
    },
    /// A record. The records of a partition arrive in offset order.
    Record(Delivery),
    /// A seek is complete: all further records of the partition start at the offset.
    SeekCompleted {
        /// The partition.
        partition: i32,
        /// The offset of the seek.
        offset: i64,
    },
    /// This source cannot continue: close it and start a new one.
    Failed(String),
}

/// A record that the source has read.
#[derive(Debug)]
pub struct Delivery {
    /// The record.
    pub record: Record,
    /// Keep it as long as the record, or its content, is in memory.
    pub permit: Permit,
}

/// Counts a record against `max_outstanding` until it is dropped. The default counts against no limit.
#[derive(Debug, Default)]
pub struct Permit {
    /// None for a record that does not come from the queue of its partition.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

impl From<Record> for Delivery {
    /// A record that counts against no limit, because it does not come from a source.
    fn from(record: Record) -> Self {
        Self {
            record,
            permit: Permit::default(),
        }
    }
}

/// Sends offsets, as (partition, offset), to the consuming thread, which blocks until it receives them.
#[derive(Debug)]
pub struct OffsetsReply(pub(super) SyncSender<Vec<(i32, i64)>>);

impl OffsetsReply {
    /// Sends the answer. It has no effect if the thread has already timed out.
    pub fn send(self, offsets: Vec<(i32, i64)>) {
        let _ = self.0.send(offsets);
    }
}
