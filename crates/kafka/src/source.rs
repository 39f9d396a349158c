//! The consuming side: a member of the consumer group that runs on its own thread and sends events to async code through
//! one ordered channel.
//!
//! The owner of the source decides two things. It decides where a partition starts, because it knows the applied offset,
//! which may differ from the committed one. It also decides when a record is finished: each record carries a permit, and
//! the thread reads no more records than there are permits. These permits limit the records in memory, not the channel.
//! The channel is unbounded, so that rebalance events arrive even when all permits are taken.

mod config;
mod context;
mod event;
mod offsets;
mod partition_queues;
mod thread;

use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::metadata::MetadataTopic;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;

pub use self::config::settings;
use self::context::{GroupConsumer, GroupContext};
pub use self::event::{Delivery, OffsetsReply, Permit, SourceEvent};
use self::offsets::offset_list;
use self::thread::{Command, Reader};
use crate::context::Tokens;
use crate::{Brokers, KafkaError};

/// The limit of a request to the brokers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for other owners of a consumer before it leaves its group.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The topic that a source reads, and its group.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The brokers.
    pub brokers: Brokers,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The maximum number of records that the source has sent and its owner has not dropped yet.
    pub max_outstanding: usize,
}

/// First and next offset of a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that still exists.
    pub low: i64,
    /// The offset of the next record to be written.
    pub high: i64,
}

/// A member of the consumer group.
pub struct Source {
    events: UnboundedReceiver<SourceEvent>,
    commands: Sender<Command>,
    thread: JoinHandle<()>,
    handle: SourceHandle,
}

/// The part of a source that any task may use.
#[derive(Clone)]
pub struct SourceHandle {
    topic: Arc<str>,
    // The thread empties this when it ends: the last owner of a consumer blocks while the consumer leaves the group.
    consumer: Arc<Mutex<Option<Arc<GroupConsumer>>>>,
}

impl Source {
    /// Joins the group, on a new thread.
    pub fn start(config: &SourceConfig) -> Result<Self, KafkaError> {
        let (event_sender, events) = tokio::sync::mpsc::unbounded_channel();
        let (commands, command_receiver) = channel();
        let context = GroupContext {
            topic: config.topic.clone(),
            events: event_sender.clone(),
            tokens: Tokens::new(&config.brokers),
            rebalances: AtomicU64::new(0),
            consumer: OnceLock::new(),
        };
        let client: ClientConfig =
            crate::settings::client(&config.brokers, "consumer", &settings(&config.group));
        let consumer: Arc<GroupConsumer> = Arc::new(client.create_with_context(context)?);
        // It is set here only.
        let _ = consumer.context().consumer.set(Arc::downgrade(&consumer));
        consumer.subscribe(&[&config.topic])?;
        let handle = SourceHandle {
            topic: config.topic.as_str().into(),
            consumer: Arc::new(Mutex::new(Some(Arc::clone(&consumer)))),
        };
        let reader = Reader {
            consumer,
            topic: config.topic.clone(),
            events: event_sender,
            commands: command_receiver,
            permits: Arc::new(Semaphore::new(config.max_outstanding)),
            max_outstanding: config.max_outstanding,
            runtime: tokio::runtime::Handle::current(),
        };
        let shared = Arc::clone(&handle.consumer);
        let thread = std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(move || {
                reader.run();
                let consumer = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(consumer) = consumer {
                    leave(consumer);
                }
            })
            .map_err(|_| KafkaError::Thread("kafka-consumer"))?;
        Ok(Self {
            events,
            commands,
            thread,
            handle,
        })
    }

    /// The next event. Cancel-safe.
    pub async fn next(&mut self) -> SourceEvent {
        self.events.recv().await.unwrap_or_else(ended)
    }

    /// Appends the next events to `events`: at least one, and at most `limit`. Cancel-safe.
    pub async fn next_many(&mut self, events: &mut Vec<SourceEvent>, limit: usize) {
        if self.events.recv_many(events, limit).await == 0 {
            events.push(ended());
        }
    }

    /// Continues to read `partition` at `offset`. Records after [`SourceEvent::SeekCompleted`] are from the
    /// new position.
    pub fn seek(&self, partition: i32, offset: i64) {
        // If the thread has ended, its last event has already reported it.
        let _ = self.commands.send(Command::Seek { partition, offset });
    }

    /// The part of this source that any task may use.
    pub fn handle(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// Commits `applied`, the next offset of each partition, then leaves the group. Returns when both are done.
    pub async fn close(self, applied: Vec<(i32, i64)>) {
        let Self {
            events,
            commands,
            thread,
            ..
        } = self;
        let _ = commands.send(Command::Stop { applied });
        // Dropping the channel ends any wait for an answer in a rebalance.
        drop(events);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn ended() -> SourceEvent {
    SourceEvent::Failed("the consuming thread has ended".to_owned())
}

/// Leaves the group. Dropping the last reference blocks until the consumer has left. This thread must drop it, because
/// [`Source::close`] waits for this thread: otherwise the process could exit first, and the group would wait for the session
/// timeout.
fn leave(consumer: Arc<GroupConsumer>) {
    let started = Instant::now();
    while Arc::strong_count(&consumer) > 1 && started.elapsed() < LEAVE_TIMEOUT {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(consumer);
}

impl SourceHandle {
    /// Commits the next offset of each partition, without waiting for the broker.
    pub fn commit(&self, applied: &[(i32, i64)]) -> Result<(), KafkaError> {
        let offsets = offset_list(&self.topic, applied);
        Ok(self.consumer()?.commit(&offsets, CommitMode::Async)?)
    }

    /// Asks the brokers for the first and the next offset of each of `partitions`. Without partitions, only checks that
    /// the topic exists. Blocks for at most 5 s per partition.
    pub fn watermarks(&self, partitions: &[i32]) -> Result<Vec<(i32, Watermarks)>, KafkaError> {
        let consumer = self.consumer()?;
        if partitions.is_empty() {
            let metadata = consumer.fetch_metadata(Some(&self.topic), PROBE_TIMEOUT)?;
            if let Some(error) = metadata.topics().iter().find_map(MetadataTopic::error) {
                return Err(rdkafka::error::KafkaError::MetadataFetch(error.into()).into());
            }
        }
        let watermarks = partitions.iter().map(|&partition| {
            let (low, high) = consumer.fetch_watermarks(&self.topic, partition, PROBE_TIMEOUT)?;
            Ok((partition, Watermarks { low, high }))
        });
        watermarks.collect()
    }

    fn consumer(&self) -> Result<Arc<GroupConsumer>, KafkaError> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.clone().ok_or(KafkaError::Ended)
    }
}
