//! Partitions that are to be given back as soon as nothing of them is in flight.

use kafka::source::Answer;

use crate::apply::Outcome;
use crate::partition::Partition;

/// All revocations that have not been answered.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    open: Vec<Revocation>,
}

#[derive(Debug)]
struct Revocation {
    /// Partition and generation of each batch in flight.
    in_flight: Vec<(i32, u64)>,
    applied: Vec<(i32, i64)>,
    done: Answer,
}

impl Revocations {
    /// Partitions that are gone; `done` is answered when the last of their batches has finished.
    pub(crate) fn add(&mut self, gone: &[(i32, Partition)], done: Answer) {
        let in_flight = gone.iter().filter(|(_, partition)| partition.is_in_flight());
        self.open.push(Revocation {
            in_flight: in_flight
                .map(|(id, partition)| (*id, partition.generation()))
                .collect(),
            applied: gone
                .iter()
                .map(|(id, partition)| (*id, partition.applied()))
                .collect(),
            done,
        });
        self.answer();
    }

    /// A batch of an earlier assignment has finished.
    pub(crate) fn finished(&mut self, partition: i32, generation: u64, outcome: &Outcome) {
        for revocation in &mut self.open {
            let before = revocation.in_flight.len();
            revocation
                .in_flight
                .retain(|&batch| batch != (partition, generation));
            if revocation.in_flight.len() == before {
                continue;
            }
            if let Outcome::Applied { fence, .. } = outcome {
                let applied = revocation.applied.iter_mut().filter(|(id, _)| *id == partition);
                applied.for_each(|(_, offset)| *offset = *fence);
            }
        }
        self.answer();
    }

    fn answer(&mut self) {
        for revocation in self
            .open
            .extract_if(.., |revocation| revocation.in_flight.is_empty())
        {
            revocation.done.send(revocation.applied);
        }
    }
}
