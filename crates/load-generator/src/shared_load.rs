//! One load for several targets at the same time: a single schedule, each vote of which goes to one target. All targets
//! then share the same noise of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use experiment_model::sample::Sample;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::load::send;
use crate::pacer::Pacer;
use crate::target::Target;

/// Each group of votes has this many for each target, in random order. The number of votes of two targets never
/// differs by more, and no target always follows the same other target.
const VOTES_PER_TARGET: usize = 2;

/// Assigns `votes` votes to `targets` targets at random, and balanced within each group. Returns the index of the target
/// of each vote. The same `seed` gives the same assignment.
pub fn assign(votes: usize, targets: usize, seed: u64) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut group: Vec<usize> = (0..targets * VOTES_PER_TARGET)
        .map(|index| index % targets)
        .collect();
    let mut assigned = Vec::with_capacity(votes + group.len());
    while assigned.len() < votes && !group.is_empty() {
        random.shuffle(&mut group);
        assigned.extend_from_slice(&group);
    }
    assigned.truncate(votes);
    assigned
}

/// A running load.
#[derive(Debug)]
pub struct SharedLoad {
    /// The start of the schedule.
    pub start: Instant,
    samples: UnboundedReceiver<(usize, Sample)>,
    stopped: Arc<AtomicBool>,
}

impl SharedLoad {
    /// Starts to send a vote at each of `schedule` (ascending offsets from now, with the index of a target), regardless of
    /// answers. Every `timing_every`th vote requests the server's stage times; 0 requests none.
    pub fn start(
        targets: Vec<Arc<Target>>,
        schedule: Vec<(Duration, usize)>,
        timing_every: usize,
    ) -> std::io::Result<Self> {
        let mut pacer = Pacer::start(schedule.iter().map(|(at, _)| *at).collect())?;
        let start = pacer.start;
        let stopped = Arc::new(AtomicBool::new(false));
        let (done, samples) = unbounded_channel();
        let is_stopped = Arc::clone(&stopped);
        tokio::spawn(async move {
            while let Some(due) = pacer.next().await {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Some(index) = schedule.get(due.index).map(|(_, target)| *target) else {
                    return;
                };
                let Some(target) = targets.get(index).map(Arc::clone) else {
                    return;
                };
                let done = done.clone();
                tokio::spawn(async move {
                    // The receiver is gone only if the run was cancelled.
                    let _ = done.send((index, send(&target, due, timing_every, start).await));
                });
            }
        });
        Ok(Self {
            start,
            samples,
            stopped,
        })
    }

    /// The next sample with the index of its target, in the order of answers; `None` after the last answer.
    pub async fn next(&mut self) -> Option<(usize, Sample)> {
        self.samples.recv().await
    }

    /// Sends no further vote. The answers to the votes that were sent still follow.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignment_is_balanced_random_and_repeatable() {
        let assigned = assign(3_001, 3, 7);
        assert_eq!(assigned.len(), 3_001);
        for group in assigned.chunks_exact(6) {
            let mut sorted = group.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 0, 1, 1, 2, 2]);
        }
        // Of 1,000 votes of a target, about 222 precede one of the same target, and about 389 one of each other target.
        let follows = |a, b| assigned.windows(2).filter(|pair| *pair == [a, b]).count();
        for a in 0..3 {
            for b in 0..3 {
                let expected = if a == b { 222 } else { 389 };
                assert!(follows(a, b).abs_diff(expected) < 60, "{a} {b} {}", follows(a, b));
            }
        }
        assert_eq!(assigned, assign(3_001, 3, 7));
        assert_ne!(assigned, assign(3_001, 3, 8));
    }
}
