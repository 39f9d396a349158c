//! Revoked partitions that still have a batch in flight. The revocation is answered when no batch is in flight any more.

use kafka::source::OffsetsReply;

use crate::apply::Outcome;
use crate::partition::Partition;

/// All revocations that are not yet answered.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    pending: Vec<Revocation>,
}

#[derive(Debug)]
struct Revocation {
    /// Partition and generation of each batch in flight.
    in_flight: Vec<(i32, u64)>,
    /// The offset to commit for each partition.
    applied: Vec<(i32, i64)>,
    done: OffsetsReply,
}

impl Revocations {
    /// Adds revoked partitions. `done` is answered when the last of their batches has finished.
    pub(crate) fn add(&mut self, revoked: &[(i32, Partition)], done: OffsetsReply) {
        let in_flight = revoked.iter().filter(|(_, partition)| partition.is_in_flight());
        self.pending.push(Revocation {
            in_flight: in_flight
                .map(|(id, partition)| (*id, partition.generation()))
                .collect(),
            applied: revoked
                .iter()
                .map(|(id, partition)| (*id, partition.next_to_apply()))
                .collect(),
            done,
        });
        self.answer();
    }

    /// Records that a batch of an earlier assignment has finished.
    pub(crate) fn finished(&mut self, partition: i32, generation: u64, outcome: &Outcome) {
        for revocation in &mut self.pending {
            let before = revocation.in_flight.len();
            revocation
                .in_flight
                .retain(|&batch| batch != (partition, generation));
            if revocation.in_flight.len() == before {
                continue;
            }
            if let Outcome::Applied { applied_offset, .. } = outcome {
                let applied = revocation.applied.iter_mut().filter(|(id, _)| *id == partition);
                applied.for_each(|(_, offset)| *offset = *applied_offset);
            }
        }
        self.answer();
    }

    /// Whether a batch of a revoked partition is in flight.
    pub(crate) fn is_in_flight(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Answers all revocations, although some of their batches have not finished: they were abandoned. The new owner of
    /// each partition resumes from the applied offset.
    pub(crate) fn abandon(&mut self) {
        for revocation in self.pending.drain(..) {
            revocation.done.send(revocation.applied);
        }
    }

    fn answer(&mut self) {
        for revocation in self
            .pending
            .extract_if(.., |revocation| revocation.in_flight.is_empty())
        {
            revocation.done.send(revocation.applied);
        }
    }
}
