//! Revoked partitions that still have a batch in flight. The revocation is answered when no batch is in flight any more.

use kafka::source::OffsetsReply;

use crate::partition::Partition;

/// All revocations that are not yet answered.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    pending: Vec<Revocation>,
}

#[derive(Debug)]
struct Revocation {
    /// Partition and generation of each step of a batch in flight. Two steps of one partition may be in flight.
    in_flight: Vec<(i32, u64)>,
    /// The offset to commit for each partition.
    applied: Vec<(i32, i64)>,
    done: OffsetsReply,
}

impl Revocations {
    /// Adds revoked partitions. `done` is answered when the last step of their batches has finished.
    pub(crate) fn add(&mut self, revoked: &[(i32, Partition)], done: OffsetsReply) {
        let in_flight = revoked
            .iter()
            .flat_map(|(id, partition)| vec![(*id, partition.generation()); partition.steps_in_flight()]);
        self.pending.push(Revocation {
            in_flight: in_flight.collect(),
            applied: revoked
                .iter()
                .map(|(id, partition)| (*id, partition.next_to_apply()))
                .collect(),
            done,
        });
        self.answer();
    }

    /// Records that a step of a batch of an earlier assignment has finished. `applied_offset` is the partition's new one; None
    /// if it did not change.
    pub(crate) fn finished(&mut self, partition: i32, generation: u64, applied_offset: Option<i64>) {
        for revocation in &mut self.pending {
            let mut in_flight = revocation.in_flight.iter();
            let Some(index) = in_flight.position(|&step| step == (partition, generation)) else {
                continue;
            };
            revocation.in_flight.swap_remove(index);
            if let Some(applied_offset) = applied_offset {
                let applied = revocation.applied.iter_mut().filter(|(id, _)| *id == partition);
                applied.for_each(|(_, offset)| *offset = applied_offset);
            }
        }
        self.answer();
    }

    /// Whether a step of a batch of a revoked partition is in flight.
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
