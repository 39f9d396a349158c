//! The consuming thread: polls, hands records over, and keeps the group membership alive while nobody takes them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Command, Delivery, GroupConsumer, SourceEvent, offset_list};
use crate::Record;

/// How long a command may wait while there are no records.
const POLL: Duration = Duration::from_millis(50);
/// Pausing throws away what was fetched ahead: worth it when the stores are down, not while a batch is being applied.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Reader {
    pub(super) consumer: Arc<GroupConsumer>,
    pub(super) topic: String,
    pub(super) events: UnboundedSender<SourceEvent>,
    pub(super) commands: Receiver<Command>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) max_outstanding: usize,
    pub(super) runtime: Handle,
}

/// Whether records are read.
enum Flow {
    Running,
    /// No permit since then: not polling, for a moment.
    Full(Instant),
    /// Partitions are paused, so that polling keeps the membership alive without bringing records.
    Paused,
}

/// Why the thread ends: a failure, or that it was asked to.
struct Ended(Option<String>);

impl From<KafkaError> for Ended {
    fn from(error: KafkaError) -> Self {
        Self(Some(error.to_string()))
    }
}

impl Reader {
    pub(super) fn run(self) {
        if let Err(Ended(Some(reason))) = self.read() {
            let _ = self.events.send(SourceEvent::Failed(reason));
        }
    }

    fn read(&self) -> Result<(), Ended> {
        let mut flow = Flow::Running;
        loop {
            self.obey(&mut flow)?;
            flow = match flow {
                Flow::Running => match self.permit() {
                    Some(permit) => {
                        self.poll(Some(permit))?;
                        Flow::Running
                    }
                    None => Flow::Full(Instant::now()),
                },
                Flow::Full(since) => match self.wait_for_permit() {
                    Some(permit) => {
                        self.poll(Some(permit))?;
                        Flow::Running
                    }
                    None if since.elapsed() < PAUSE_AFTER => Flow::Full(since),
                    None => {
                        self.pause()?;
                        Flow::Paused
                    }
                },
                // Half of the permits back: not to pause again after a handful of records.
                Flow::Paused if self.permits.available_permits() * 2 >= self.max_outstanding => {
                    self.resume()?;
                    Flow::Running
                }
                // A partition that was assigned in the meantime is not paused: its first record says so.
                Flow::Paused => match self.poll(None)? {
                    Polled::Record => Flow::Full(Instant::now()),
                    Polled::Nothing => Flow::Paused,
                },
            };
        }
    }

    fn obey(&self, flow: &mut Flow) -> Result<(), Ended> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Seek { partition, offset }) => {
                    if matches!(flow, Flow::Paused) {
                        self.resume()?;
                        *flow = Flow::Running;
                    }
                    self.seek(partition, offset)?;
                }
                Ok(Command::Stop { applied }) => {
                    self.commit(&applied);
                    return Err(Ended(None));
                }
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Ended(None)),
            }
        }
    }

    fn poll(&self, permit: Option<OwnedSemaphorePermit>) -> Result<Polled, Ended> {
        match self.consumer.poll(POLL) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => {
                let record = Record::from_message(&message);
                let _ = self.events.send(SourceEvent::Record(Delivery {
                    record,
                    _permit: permit,
                }));
                Ok(Polled::Record)
            }
            Some(Err(error)) => tolerate(&error).map(|()| Polled::Nothing),
        }
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    fn wait_for_permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let waited = self
            .runtime
            .block_on(async { tokio::time::timeout(POLL, permit).await });
        waited.ok().and_then(Result::ok)
    }

    fn pause(&self) -> Result<(), Ended> {
        tracing::info!("paused: the stores do not keep up");
        let assignment = self.consumer.assignment()?;
        Ok(self.consumer.pause(&assignment)?)
    }

    fn resume(&self) -> Result<(), Ended> {
        tracing::info!("resumed");
        let assignment = self.consumer.assignment()?;
        Ok(self.consumer.resume(&assignment)?)
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<(), Ended> {
        let assignment = self.consumer.assignment()?;
        if assignment.find_partition(&self.topic, partition).is_none() {
            // Revoked in the meantime: whoever asked for it has the event in the channel.
            return Ok(());
        }
        let position = Offset::Offset(offset);
        self.consumer
            .seek(&self.topic, partition, position, SEEK_TIMEOUT)?;
        let _ = self.events.send(SourceEvent::Sought { partition, offset });
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
            tracing::warn!(%error, "last offsets not committed");
        }
    }
}

enum Polled {
    Record,
    Nothing,
}

/// Most errors pass by themselves.
fn tolerate(error: &KafkaError) -> Result<(), Ended> {
    use RDKafkaErrorCode::{
        AllBrokersDown, AutoOffsetReset, BrokerTransportFailure, OffsetOutOfRange, Resolve,
    };
    let code = error.rdkafka_error_code();
    let is_position_lost = matches!(code, Some(AutoOffsetReset | OffsetOutOfRange));
    if is_position_lost || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Err(Ended(Some(error.to_string())));
    }
    // Brokers that are away bring ten of these a second; the readiness check says it once.
    if matches!(code, Some(AllBrokersDown | BrokerTransportFailure | Resolve)) {
        tracing::debug!(%error, "kafka consumer");
    } else {
        tracing::warn!(%error, "kafka consumer");
    }
    Ok(())
}
