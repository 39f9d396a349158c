//! From the source's events to batches in the stores: one batch a partition in flight, all partitions at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka::source::{Answer, Source, SourceEvent, SourceHandle};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use uuid::Uuid;

use crate::apply::{Outcome, Stores};
use crate::dead_letter_limit::Flood;
use crate::observe::{self, Belief, Observation, Starts};
use crate::partition::Partition;
use crate::revocation::Revocations;

/// Commits serve Kafka's own tools, which read a group's lag from them; the fence decides where reading starts. More of
/// them would only load the broker.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How old a reported lag and a noticed loss in an idle Redis may be.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(2);

/// Committing and leaving take milliseconds; with Kafka away they would take longer than a process may for its end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How records become batches.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Most records of a batch.
    pub max_records: usize,
    /// Longest wait of a record for others.
    pub linger: Duration,
}

/// Why a pipeline ended.
#[derive(Debug)]
pub enum Ended {
    /// Asked to; everything in flight was finished or given up.
    Shutdown,
    /// The source gets no further; another may.
    SourceFailed(String),
    /// Too many records cannot be read: somebody has to look.
    Flood(Flood),
}

/// What a task of the pipeline comes back with.
enum Finished {
    Starts {
        starts: Starts,
        answer: Answer,
    },
    Batch {
        partition: i32,
        generation: u64,
        outcome: Outcome,
    },
    Observed(Option<Observation>),
}

/// The partitions of one source, and the work in flight for them.
pub struct Pipeline {
    stores: Arc<Stores>,
    limits: BatchLimits,
    source: Source,
    handle: SourceHandle,
    /// The topic of all partitions; None before the first assignment.
    topic_id: Option<Uuid>,
    partitions: BTreeMap<i32, Partition>,
    revocations: Revocations,
    tasks: JoinSet<Finished>,
    is_observing: bool,
    generation: u64,
    /// Cancelled when nothing should be tried again.
    give_up: CancellationToken,
}

impl Pipeline {
    /// A pipeline that reads from `source`.
    pub fn new(stores: Arc<Stores>, limits: BatchLimits, source: Source) -> Self {
        Self {
            handle: source.handle(),
            stores,
            limits,
            source,
            topic_id: None,
            partitions: BTreeMap::new(),
            revocations: Revocations::default(),
            tasks: JoinSet::new(),
            is_observing: false,
            generation: 0,
            give_up: CancellationToken::new(),
        }
    }

    /// Runs until `shutdown`, then finishes what is in flight, `drain` at most; or until the source fails. Either way
    /// the group has been left when it returns.
    pub async fn run(mut self, shutdown: &CancellationToken, drain: Duration) -> Ended {
        let ended = self.work(shutdown).await;
        self.finish_in_flight(drain).await;
        let applied = self.uncommitted();
        for &partition in self.partitions.keys() {
            self.stores.metrics.forget_lag(partition);
        }
        if tokio::time::timeout(LEAVE_TIMEOUT, self.source.close(applied))
            .await
            .is_err()
        {
            tracing::warn!("left without a word to the group: Kafka does not answer");
        }
        ended
    }

    async fn work(&mut self, shutdown: &CancellationToken) -> Ended {
        let ticker = |period| {
            let mut ticker = interval(period);
            ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticker
        };
        let mut linger = ticker(self.limits.linger);
        let (mut commit, mut observe) = (ticker(COMMIT_INTERVAL), ticker(OBSERVE_INTERVAL));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ended::Shutdown,
                event = self.source.next() => {
                    if let Some(ended) = self.on_event(event) {
                        return ended;
                    }
                }
                Some(finished) = self.tasks.join_next(), if !self.tasks.is_empty() => match finished {
                    Ok(finished) => if let Some(ended) = self.on_finished(finished) {
                        return ended;
                    },
                    // Fenced: a new pipeline finds out what was applied.
                    Err(error) => return Ended::SourceFailed(format!("a task failed: {error}")),
                },
                _ = linger.tick(), if self.has_work() => self.start_batches(1),
                _ = commit.tick() => self.commit(),
                _ = observe.tick(), if !self.is_observing => self.observe(),
            }
        }
    }

    fn on_event(&mut self, event: SourceEvent) -> Option<Ended> {
        match event {
            SourceEvent::Record(delivery) => {
                let partition = self.partitions.get_mut(&delivery.record.partition)?;
                partition.push(delivery);
                if partition.pending() == self.limits.max_records {
                    self.start_batches(self.limits.max_records);
                }
            }
            SourceEvent::Assigned { partitions, start } => self.find_starts(partitions, start),
            SourceEvent::Revoked { partitions, done } => self.revoke(&partitions, done),
            SourceEvent::Sought { partition, offset } => self.partitions.get_mut(&partition)?.sought(offset),
            SourceEvent::Failed(reason) => return Some(Ended::SourceFailed(reason)),
        }
        None
    }

    fn on_finished(&mut self, finished: Finished) -> Option<Ended> {
        match finished {
            Finished::Starts { starts, answer } => return self.assign(starts, answer),
            Finished::Batch {
                partition,
                generation,
                outcome,
            } => return self.on_outcome(partition, generation, outcome),
            Finished::Observed(observation) => {
                self.is_observing = false;
                if let Some(observation) = observation {
                    return self.compare(observation);
                }
            }
        }
        None
    }

    fn find_starts(&mut self, partitions: Vec<i32>, answer: Answer) {
        tracing::info!(?partitions, "assigned");
        let (stores, handle, give_up) = (
            Arc::clone(&self.stores),
            self.handle.clone(),
            self.give_up.clone(),
        );
        self.tasks.spawn(async move {
            let starts = observe::starts(&stores, &handle, &partitions, &give_up).await;
            Finished::Starts { starts, answer }
        });
    }

    fn assign(&mut self, starts: Starts, answer: Answer) -> Option<Ended> {
        let (topic_id, starts) = match starts {
            Starts::Found(topic_id, starts) => (topic_id, starts),
            Starts::Replaced(topic_id) => {
                return Some(Ended::SourceFailed(format!(
                    "topic {} has the id {topic_id}, which another one has replaced in the tallies: is that broker's \
                     metadata old, or does another consumer count another topic into this Redis?",
                    self.stores.topic
                )));
            }
            // The answer goes with the source, which is about to be closed.
            Starts::Stopped => return None,
        };
        if self.topic_id.is_some_and(|known| known != topic_id) {
            return Some(other_topic());
        }
        self.topic_id = Some(topic_id);
        for &start in &starts {
            tracing::info!(%topic_id, start.partition, start.fence, start.offset, "starting");
            self.generation += 1;
            let lag = self.stores.metrics.lag(start.partition);
            self.partitions.insert(
                start.partition,
                Partition::new(topic_id, start, self.generation, lag),
            );
        }
        answer.send(
            starts
                .iter()
                .map(|start| (start.partition, start.offset))
                .collect(),
        );
        None
    }

    fn revoke(&mut self, revoked: &[i32], done: Answer) {
        tracing::info!(partitions = ?revoked, "revoked");
        let gone: Vec<_> = revoked
            .iter()
            .filter_map(|id| self.partitions.remove_entry(id))
            .collect();
        for (id, partition) in &gone {
            partition.stop().cancel();
            self.stores.metrics.forget_lag(*id);
        }
        self.revocations.add(&gone, done);
    }

    fn on_outcome(&mut self, id: i32, generation: u64, outcome: Outcome) -> Option<Ended> {
        let current = self
            .partitions
            .get_mut(&id)
            .filter(|partition| partition.generation() == generation);
        let Some(partition) = current else {
            // Whoever has the partition now finds out the rest for himself.
            self.revocations.finished(id, generation, &outcome);
            return None;
        };
        match outcome {
            Outcome::Applied { fence, level } => {
                partition.advance(fence, level);
                if partition.pending() >= self.limits.max_records {
                    self.start_batches(self.limits.max_records);
                }
            }
            Outcome::Behind { fence } => self.rewind(id, fence),
            Outcome::OtherTopic => {
                partition.interrupted();
                return Some(other_topic());
            }
            Outcome::Flood(flood) => {
                partition.interrupted();
                return Some(Ended::Flood(flood));
            }
            // Only when the pipeline ends: what was not applied is read again from the fence.
            Outcome::Interrupted => partition.interrupted(),
        }
        None
    }

    fn rewind(&mut self, id: i32, fence: Option<i64>) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            let before = partition.applied();
            let offset = partition.rewind(fence);
            tracing::warn!(
                partition = id,
                before,
                offset,
                "Redis does not hold the fence that it was told; going to where it is"
            );
            self.source.seek(id, offset);
        }
    }

    /// Starts a batch of each partition that has `at_least` so many records and nothing in flight.
    fn start_batches(&mut self, at_least: usize) {
        for (&id, partition) in &mut self.partitions {
            if partition.pending() < at_least {
                continue;
            }
            let Some(batch) = partition.next_batch(self.limits.max_records) else {
                continue;
            };
            let (generation, stop, stores) = (
                partition.generation(),
                partition.stop().clone(),
                Arc::clone(&self.stores),
            );
            self.tasks.spawn(async move {
                let outcome = stores.apply(&batch, &stop).await;
                Finished::Batch {
                    partition: id,
                    generation,
                    outcome,
                }
            });
        }
    }

    fn has_work(&self) -> bool {
        self.partitions
            .values()
            .any(|partition| partition.pending() > 0 && !partition.is_in_flight())
    }

    fn commit(&mut self) {
        let applied = self.uncommitted();
        if applied.is_empty() {
            return;
        }
        if let Err(error) = self.handle.commit(&applied) {
            tracing::debug!(%error, "offsets not committed");
        }
    }

    fn uncommitted(&mut self) -> Vec<(i32, i64)> {
        self.partitions
            .values_mut()
            .filter_map(Partition::take_uncommitted)
            .collect()
    }

    fn observe(&mut self) {
        self.is_observing = true;
        let believed = self
            .partitions
            .iter()
            .filter_map(|(&id, partition)| Some((id, partition.generation(), partition.idle_fence()?)));
        let belief = Belief {
            topic_id: self.topic_id,
            partitions: self.partitions.keys().copied().collect(),
            fences: believed.collect(),
        };
        let (stores, handle) = (Arc::clone(&self.stores), self.handle.clone());
        self.tasks
            .spawn(async move { Finished::Observed(observe::observe(&stores, &handle, belief).await) });
    }

    fn compare(&mut self, observation: Observation) -> Option<Ended> {
        if observation.other_topic {
            return Some(other_topic());
        }
        for (id, watermarks) in observation.watermarks {
            if let Some(partition) = self.partitions.get_mut(&id) {
                partition.set_watermarks(watermarks);
            }
        }
        for lost in observation.unexpected {
            let still_believed = self.partitions.get(&lost.partition).is_some_and(|partition| {
                partition.generation() == lost.generation && partition.idle_fence() == Some(lost.believed)
            });
            if still_believed {
                self.rewind(lost.partition, lost.actual);
            }
        }
        None
    }

    async fn finish_in_flight(&mut self, drain: Duration) {
        let deadline = Instant::now() + drain;
        self.partitions.values_mut().for_each(Partition::forget_pending);
        while self.partitions.values().any(Partition::is_in_flight) {
            match tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
                Ok(Some(Ok(finished))) => {
                    // It ends already; a reason that is left for another end is found again after the next start.
                    let _ = self.on_finished(finished);
                }
                Ok(Some(Err(_)) | None) => break,
                Err(_) => {
                    tracing::warn!(
                        ?drain,
                        "batches in flight given up; they will be applied after the next start"
                    );
                    break;
                }
            }
        }
        self.give_up.cancel();
        self.tasks.shutdown().await;
    }
}

fn other_topic() -> Ended {
    Ended::SourceFailed(
        "the topic that is counted has changed: it was made anew, or Redis lost it".to_owned(),
    )
}
