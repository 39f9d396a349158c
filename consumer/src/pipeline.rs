//! Turns the source's events into batches and applies them to the stores. All partitions work concurrently, each with at most
//! one batch that is being logged and one that is being counted.

mod drain;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::source::{OffsetsReply, Source, SourceEvent, SourceHandle};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::{LogOutcome, Outcome, Stores};
use crate::batch::BatchLimits;
use crate::partition::Partition;
use crate::pipeline_end::PipelineEnd;
use crate::revocation::Revocations;
use crate::store_state::{self, ExpectedState, Observation, StartPositions};

/// Committed offsets only serve Kafka's tools, which compute the group's lag from them: the applied offset decides where
/// reading starts. More frequent commits would only load the broker.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// The longest delay until the lag metric is updated, and until a loss of data in an idle Redis is detected.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(2);

/// Events that are handled together.
const MAX_EVENTS: usize = 128;

/// The last commit and leaving the group take milliseconds. If Kafka is down, they would exceed the time that a process
/// has for its shutdown.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The result of a task of the pipeline.
enum TaskOutcome {
    StartPositions {
        positions: StartPositions,
        answer: OffsetsReply,
    },
    Logged {
        partition: i32,
        generation: u64,
        outcome: LogOutcome,
    },
    Counted {
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
    tasks: JoinSet<TaskOutcome>,
    is_observing: bool,
    /// Incremented for each assigned partition. Identifies results of an earlier assignment.
    generation: u64,
    /// Cancelled when all tasks must stop their retries.
    stop_retries: CancellationToken,
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
            stop_retries: CancellationToken::new(),
        }
    }

    /// Runs until `shutdown` or until the source fails. Then finishes the batches in flight within `drain`, and leaves the
    /// group.
    pub async fn run(mut self, shutdown: &CancellationToken, drain: Duration) -> PipelineEnd {
        let ended = self.process_events(shutdown).await;
        self.finish_in_flight(drain).await;
        let applied = self.uncommitted();
        for &partition in self.partitions.keys() {
            self.stores.metrics.remove_lag(partition);
        }
        if tokio::time::timeout(LEAVE_TIMEOUT, self.source.close(applied))
            .await
            .is_err()
        {
            tracing::warn!(
                "shut down without leaving the consumer group: Kafka did not respond within {LEAVE_TIMEOUT:?}. The group \
                 reassigns the partitions after the session timeout"
            );
        }
        ended
    }

    async fn process_events(&mut self, shutdown: &CancellationToken) -> PipelineEnd {
        let ticker = |period| {
            let mut ticker = interval(period);
            ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticker
        };
        let mut linger = ticker(self.limits.linger);
        let mut events = Vec::with_capacity(MAX_EVENTS);
        let (mut commit, mut observe) = (ticker(COMMIT_INTERVAL), ticker(OBSERVE_INTERVAL));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return PipelineEnd::Shutdown,
                () = self.source.next_many(&mut events, MAX_EVENTS) => {
                    let received_at = Instant::now();
                    for event in events.drain(..) {
                        if let Some(ended) = self.on_event(event, received_at) {
                            return ended;
                        }
                    }
                }
                Some(finished) = self.tasks.join_next(), if !self.tasks.is_empty() => match finished {
                    Ok(finished) => if let Some(ended) = self.on_finished(finished) {
                        return ended;
                    },
                    // Safe: a new pipeline starts at the applied offsets.
                    Err(error) => return PipelineEnd::Restart(format!("a task failed: {error}")),
                },
                _ = linger.tick(), if self.partitions.values().any(Partition::can_log) => self.log_batches(1),
                _ = commit.tick() => self.commit(),
                _ = observe.tick(), if !self.is_observing => self.observe(),
            }
        }
    }

    /// Handles an event of the source, which it sent at `received_at` or before.
    fn on_event(&mut self, event: SourceEvent, received_at: Instant) -> Option<PipelineEnd> {
        match event {
            SourceEvent::Record(delivery) => {
                let partition = self.partitions.get_mut(&delivery.record.partition)?;
                partition.push(delivery.into(), received_at);
                if partition.pending() == self.limits.max_records {
                    self.log_batches(self.limits.max_records);
                }
            }
            SourceEvent::Assigned { partitions, start } => self.find_starts(partitions, start),
            SourceEvent::Revoked { partitions, done } => self.revoke(&partitions, done),
            SourceEvent::SeekCompleted { partition, offset } => {
                self.partitions.get_mut(&partition)?.seek_completed(offset);
            }
            SourceEvent::Failed(reason) => return Some(PipelineEnd::Restart(reason)),
        }
        None
    }

    fn on_finished(&mut self, finished: TaskOutcome) -> Option<PipelineEnd> {
        match finished {
            TaskOutcome::StartPositions { positions, answer } => return self.assign(positions, answer),
            TaskOutcome::Logged {
                partition,
                generation,
                outcome,
            } => return self.on_logged(partition, generation, outcome),
            TaskOutcome::Counted {
                partition,
                generation,
                outcome,
            } => return self.on_counted(partition, generation, outcome),
            TaskOutcome::Observed(observation) => {
                self.is_observing = false;
                if let Some(observation) = observation {
                    return self.on_observation(observation);
                }
            }
        }
        None
    }

    fn find_starts(&mut self, partitions: Vec<i32>, answer: OffsetsReply) {
        tracing::info!(?partitions, "partitions assigned");
        let (stores, handle, stop_retries) = (
            Arc::clone(&self.stores),
            self.handle.clone(),
            self.stop_retries.clone(),
        );
        self.tasks.spawn(async move {
            let positions = store_state::start_positions(&stores, &handle, &partitions, &stop_retries).await;
            TaskOutcome::StartPositions { positions, answer }
        });
    }

    fn assign(&mut self, positions: StartPositions, answer: OffsetsReply) -> Option<PipelineEnd> {
        let (topic_id, starts) = match positions {
            StartPositions::Found(topic_id, starts) => (topic_id, starts),
            StartPositions::TopicReplaced(topic_id) => {
                return Some(PipelineEnd::topic_replaced(&self.stores.topic, topic_id));
            }
            // No answer is necessary: the source is about to be closed.
            StartPositions::Stopped => return None,
        };
        if self.topic_id.is_some_and(|known| known != topic_id) {
            return Some(PipelineEnd::topic_changed());
        }
        self.topic_id = Some(topic_id);
        for &start in &starts {
            tracing::info!(
                %topic_id,
                start.partition,
                start.applied_offset,
                start.offset,
                "starting to read a partition"
            );
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

    fn revoke(&mut self, revoked: &[i32], done: OffsetsReply) {
        tracing::info!(partitions = ?revoked, "partitions revoked");
        let removed: Vec<_> = revoked
            .iter()
            .filter_map(|id| self.partitions.remove_entry(id))
            .collect();
        for (id, partition) in &removed {
            partition.stop().cancel();
            self.stores.metrics.remove_lag(*id);
        }
        self.revocations.add(&removed, done);
    }

    fn on_logged(&mut self, id: i32, generation: u64, outcome: LogOutcome) -> Option<PipelineEnd> {
        let Some(partition) = self.current(id, generation) else {
            // The new owner of the partition logs the batch again, which has no effect, and counts it.
            self.revocations.finished(id, generation, None);
            return None;
        };
        match outcome {
            LogOutcome::Logged(logged) => {
                partition.finish_logging(*logged);
                self.count_batch(id);
            }
            LogOutcome::OtherTopic => {
                partition.logging_interrupted();
                return Some(PipelineEnd::topic_changed());
            }
            LogOutcome::DeadLetterLimitExceeded(exceeded) => {
                partition.logging_interrupted();
                return Some(PipelineEnd::DeadLetterLimitExceeded(exceeded));
            }
            // Happens only when the pipeline ends: the next one reads these records again, from the applied offset.
            LogOutcome::Interrupted => partition.logging_interrupted(),
        }
        None
    }

    fn on_counted(&mut self, id: i32, generation: u64, outcome: Outcome) -> Option<PipelineEnd> {
        let Some(partition) = self.current(id, generation) else {
            let applied_offset = match outcome {
                Outcome::Applied { applied_offset } => Some(applied_offset),
                // The new owner of the partition resumes from the applied offset.
                Outcome::RedisBehind { .. } | Outcome::OtherTopic | Outcome::Interrupted => None,
            };
            self.revocations.finished(id, generation, applied_offset);
            return None;
        };
        match outcome {
            Outcome::Applied { applied_offset } => {
                partition.advance(applied_offset);
                self.count_batch(id);
            }
            Outcome::RedisBehind { applied_offset } => self.rewind(id, applied_offset),
            Outcome::OtherTopic => {
                partition.counting_interrupted();
                return Some(PipelineEnd::topic_changed());
            }
            // Happens only when the pipeline ends.
            Outcome::Interrupted => partition.counting_interrupted(),
        }
        None
    }

    /// The partition, if it still has this assignment.
    fn current(&mut self, id: i32, generation: u64) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(&id)?;
        (partition.generation() == generation).then_some(partition)
    }

    fn rewind(&mut self, id: i32, applied_offset: Option<i64>) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            let before = partition.next_to_apply();
            let offset = partition.rewind(applied_offset);
            tracing::warn!(
                partition = id,
                before,
                offset,
                "Redis does not hold the expected applied offset; resuming from the one that it holds"
            );
            self.source.seek(id, offset);
        }
    }

    /// Starts to log a batch of each partition that has `at_least` pending records and can log one.
    fn log_batches(&mut self, at_least: usize) {
        for (&id, partition) in &mut self.partitions {
            if partition.pending() < at_least {
                continue;
            }
            let Some(batch) = partition.next_to_log(self.limits.max_records) else {
                continue;
            };
            let (generation, stop, stores) = (
                partition.generation(),
                partition.stop().clone(),
                Arc::clone(&self.stores),
            );
            self.tasks.spawn(async move {
                let outcome = stores.log(batch, &stop).await;
                TaskOutcome::Logged {
                    partition: id,
                    generation,
                    outcome,
                }
            });
        }
    }

    /// Starts to count the logged batch of a partition, if the one before it is counted. Then the next batch can be logged.
    fn count_batch(&mut self, id: i32) {
        let next = self.partitions.get_mut(&id).and_then(|partition| {
            let (logged, applied_offset) = partition.next_to_count()?;
            let task = (partition.generation(), partition.stop().clone());
            Some((logged, applied_offset, task))
        });
        if let Some((logged, applied_offset, (generation, stop))) = next {
            let stores = Arc::clone(&self.stores);
            self.tasks.spawn(async move {
                let outcome = stores.count(logged, applied_offset, &stop).await;
                TaskOutcome::Counted {
                    partition: id,
                    generation,
                    outcome,
                }
            });
        }
        self.log_batches(self.limits.max_records);
    }

    fn commit(&mut self) {
        let applied = self.uncommitted();
        if applied.is_empty() {
            return;
        }
        if let Err(error) = self.handle.commit(&applied) {
            tracing::debug!(%error, "could not commit offsets");
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
        let applied_offsets = self.partitions.iter().filter_map(|(&id, partition)| {
            Some((id, partition.generation(), partition.settled_applied_offset()?))
        });
        let expected = ExpectedState {
            topic_id: self.topic_id,
            partitions: self.partitions.keys().copied().collect(),
            applied_offsets: applied_offsets.collect(),
        };
        let (stores, handle) = (Arc::clone(&self.stores), self.handle.clone());
        self.tasks.spawn(async move {
            TaskOutcome::Observed(store_state::observe(&stores, &handle, expected).await)
        });
    }

    fn on_observation(&mut self, observation: Observation) -> Option<PipelineEnd> {
        if observation.other_topic {
            return Some(PipelineEnd::topic_changed());
        }
        for (id, watermarks) in observation.watermarks {
            if let Some(partition) = self.partitions.get_mut(&id) {
                partition.set_watermarks(watermarks);
            }
        }
        for mismatch in observation.mismatches {
            // The partition may have moved since the observation began.
            let is_unchanged = self.partitions.get(&mismatch.partition).is_some_and(|partition| {
                partition.generation() == mismatch.generation
                    && partition.settled_applied_offset() == Some(mismatch.expected)
            });
            if is_unchanged {
                self.rewind(mismatch.partition, mismatch.actual);
            }
        }
        None
    }
}
