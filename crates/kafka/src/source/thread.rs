//! The consuming thread: polls Kafka, sends records as events, and stays a member of the group while reading is paused.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::context::GroupConsumer;
use super::event::{Delivery, Permit, SourceEvent};
use super::offsets::offset_list;
use super::partition_queues::PartitionQueues;
use crate::Record;

/// The longest delay of a command while there are no records.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// How many records the thread reads before it is the turn of the next partition.
const RECORDS_IN_TURN: u32 = 64;
/// Pausing discards the prefetched records. That is worth it when the stores are down, but not while a batch is being
/// applied.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// A command of the source's owner to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Seek { partition: i32, offset: i64 },
    Stop { applied: Vec<(i32, i64)> },
}

pub(super) struct Reader {
    pub(super) consumer: Arc<GroupConsumer>,
    pub(super) topic: String,
    pub(super) events: UnboundedSender<SourceEvent>,
    pub(super) commands: Receiver<Command>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) max_outstanding: usize,
    pub(super) runtime: Handle,
}

/// Whether the thread reads records.
enum ReadState {
    Running,
    /// There have been too few permits for a turn since this moment. The thread does not poll.
    OutOfPermits(Instant),
    /// All partitions are paused: the thread polls to stay in the group, and receives no records.
    Paused,
}

/// Why the thread ends.
enum ThreadEnd {
    /// The owner of the source stopped or dropped it.
    Stopped,
    /// Reading failed.
    Failed(String),
}

impl From<KafkaError> for ThreadEnd {
    fn from(error: KafkaError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Reader {
    pub(super) fn run(self) {
        if let Err(ThreadEnd::Failed(reason)) = self.read() {
            let _ = self.events.send(SourceEvent::Failed(reason));
        }
    }

    fn read(&self) -> Result<(), ThreadEnd> {
        let mut state = ReadState::Running;
        let mut queues = PartitionQueues::new(Arc::clone(&self.consumer), self.topic.clone());
        loop {
            self.run_commands(&mut state)?;
            queues.update()?;
            state = match state {
                ReadState::Running => match self.permits() {
                    Some(permits) => {
                        self.read_in_turn(&mut queues, permits)?;
                        ReadState::Running
                    }
                    None => ReadState::OutOfPermits(Instant::now()),
                },
                ReadState::OutOfPermits(since) => match self.wait_for_permits() {
                    Some(permits) => {
                        self.read_in_turn(&mut queues, permits)?;
                        ReadState::Running
                    }
                    None if since.elapsed() < PAUSE_AFTER => ReadState::OutOfPermits(since),
                    None => {
                        self.pause()?;
                        ReadState::Paused
                    }
                },
                // Resume with half of the permits free: otherwise reading would pause again after a few records.
                ReadState::Paused if self.permits.available_permits() * 2 >= self.max_outstanding => {
                    self.resume()?;
                    ReadState::Running
                }
                // The records of a partition that was assigned after the pause wait in its queue.
                ReadState::Paused => {
                    if let Some(polled) = self.consumer.poll(POLL_TIMEOUT) {
                        self.receive(polled, || None)?;
                    }
                    ReadState::Paused
                }
            };
        }
    }

    fn run_commands(&self, state: &mut ReadState) -> Result<(), ThreadEnd> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Seek { partition, offset }) => {
                    if matches!(state, ReadState::Paused) {
                        self.resume()?;
                        *state = ReadState::Running;
                    }
                    self.seek(partition, offset)?;
                }
                Ok(Command::Stop { applied }) => {
                    self.commit(&applied);
                    return Err(ThreadEnd::Stopped);
                }
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(ThreadEnd::Stopped),
            }
        }
    }

    /// Reads as many records as there are permits: those of the partition whose turn it is, and if it has too few, of the next
    /// ones. Waits if there are none.
    fn read_in_turn(
        &self,
        queues: &mut PartitionQueues,
        mut permits: OwnedSemaphorePermit,
    ) -> Result<(), ThreadEnd> {
        let before = permits.num_permits();
        // The common queue has rebalances and errors.
        self.read_queue(|| self.consumer.poll(Duration::ZERO), &mut permits)?;
        if queues.are_outdated() {
            return Ok(());
        }
        for _ in 0..queues.len() {
            if permits.num_permits() == 0 {
                return Ok(());
            }
            if let Some(queue) = queues.take_turn() {
                self.read_queue(|| queue.poll(Duration::ZERO), &mut permits)?;
            }
        }
        if permits.num_permits() == before {
            thread::park_timeout(POLL_TIMEOUT);
        }
        Ok(())
    }

    /// Reads until the queue is empty, or until there are no permits.
    fn read_queue<'queue>(
        &self,
        poll: impl Fn() -> Option<KafkaResult<BorrowedMessage<'queue>>>,
        permits: &mut OwnedSemaphorePermit,
    ) -> Result<(), ThreadEnd> {
        while permits.num_permits() > 0 {
            let Some(polled) = poll() else { break };
            self.receive(polled, || permits.split(1))?;
        }
        Ok(())
    }

    /// Sends a record on with a permit, or checks an error.
    fn receive(
        &self,
        polled: KafkaResult<BorrowedMessage<'_>>,
        permit: impl FnOnce() -> Option<OwnedSemaphorePermit>,
    ) -> Result<(), ThreadEnd> {
        match polled {
            Ok(message) => {
                let record = Record::from_message(&message);
                let _ = self.events.send(SourceEvent::Record(Delivery {
                    record,
                    permit: Permit { _permit: permit() },
                }));
                Ok(())
            }
            Err(error) => check_error(&error),
        }
    }

    fn permits(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits)
            .try_acquire_many_owned(self.permits_in_turn())
            .ok()
    }

    fn wait_for_permits(&self) -> Option<OwnedSemaphorePermit> {
        let permits = Arc::clone(&self.permits).acquire_many_owned(self.permits_in_turn());
        let waited = self
            .runtime
            .block_on(async { tokio::time::timeout(POLL_TIMEOUT, permits).await });
        waited.ok().and_then(Result::ok)
    }

    /// The permits of a turn. A thread that wakes for each one would spend its time on that.
    fn permits_in_turn(&self) -> u32 {
        let half = u32::try_from(self.max_outstanding / 2).unwrap_or(u32::MAX);
        RECORDS_IN_TURN.min(half).max(1)
    }

    fn pause(&self) -> Result<(), ThreadEnd> {
        tracing::info!("paused reading: --max-outstanding records wait for the stores");
        let assignment = self.consumer.assignment()?;
        Ok(self.consumer.pause(&assignment)?)
    }

    fn resume(&self) -> Result<(), ThreadEnd> {
        tracing::info!("resumed reading");
        let assignment = self.consumer.assignment()?;
        Ok(self.consumer.resume(&assignment)?)
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<(), ThreadEnd> {
        let assignment = self.consumer.assignment()?;
        if assignment.find_partition(&self.topic, partition).is_none() {
            // The partition was revoked in the meantime; that event is already in the channel.
            return Ok(());
        }
        let position = Offset::Offset(offset);
        self.consumer
            .seek(&self.topic, partition, position, SEEK_TIMEOUT)?;
        let _ = self.events.send(SourceEvent::SeekCompleted { partition, offset });
        Ok(())
    }

    fn commit(&self, applied: &[(i32, i64)]) {
        if applied.is_empty() {
            return;
        }
        if let Err(error) = self
            .consumer
            .commit(&offset_list(&self.topic, applied), CommitMode::Sync)
        {
            tracing::warn!(%error, "could not commit the last offsets; Redis still holds the applied offsets");
        }
    }
}

/// Returns the errors after which the thread cannot continue, and logs the others: the client library recovers from them.
fn check_error(error: &KafkaError) -> Result<(), ThreadEnd> {
    use RDKafkaErrorCode::{
        AllBrokersDown, AutoOffsetReset, BrokerTransportFailure, OffsetOutOfRange, Resolve,
    };
    let code = error.rdkafka_error_code();
    let is_position_lost = matches!(code, Some(AutoOffsetReset | OffsetOutOfRange));
    if is_position_lost || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Err(ThreadEnd::Failed(error.to_string()));
    }
    // Unreachable brokers cause many of these errors each second; the readiness check reports the outage once.
    if matches!(code, Some(AllBrokersDown | BrokerTransportFailure | Resolve)) {
        tracing::debug!(%error, "cannot reach a Kafka broker");
    } else {
        tracing::warn!(%error, "Kafka consumer error; the client library retries");
    }
    Ok(())
}
