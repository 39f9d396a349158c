//! The consuming side: one group member on a thread of its own, which hands events to async code in one ordered channel.
//!
//! Whoever reads the events decides where a partition starts (it knows what was applied; the committed offset does not)
//! and when its records are done with: each record carries a permit, and no more records are read than there are
//! permits. That, and not a bounded channel, is the back-pressure: rebalances still get through when it is full.

mod config;
mod context;
mod thread;

use std::sync::mpsc::{Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::config::settings;
use self::context::GroupContext;
use self::thread::Reader;
use crate::{KafkaError, Record};

const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a source reads and as whom.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Brokers, as host:port, comma-separated.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The most records that may be handed out and not yet dropped by the reader of the events.
    pub max_outstanding: usize,
}

/// What happens on the consuming thread, in order.
#[derive(Debug)]
pub enum SourceEvent {
    /// Partitions came. Their records follow once `start` was answered, from the offset that it was answered with.
    Assigned {
        /// The partitions.
        partitions: Vec<i32>,
        /// The way to say where each starts.
        start: Answer,
    },
    /// Partitions go. The thread waits (10 s at most) for the answer: what was applied of each, to be committed.
    Revoked {
        /// The partitions.
        partitions: Vec<i32>,
        /// The way to say that nothing of them is in flight any more.
        done: Answer,
    },
    /// A record; those of a partition come in offset order.
    Record(Delivery),
    /// The answer to [`Source::seek`]: records of the partition from here on start at the offset.
    Sought {
        /// The partition.
        partition: i32,
        /// The offset asked for.
        offset: i64,
    },
    /// This source gets no further: close it and start a new one.
    Failed(String),
}

/// A record that counts against `max_outstanding` until it is dropped.
#[derive(Debug)]
pub struct Delivery {
    /// The record.
    pub record: Record,
    /// None for the odd record that arrives while partitions are being paused.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl From<Record> for Delivery {
    /// A record that counts against nothing: for what did not come from a source.
    fn from(record: Record) -> Self {
        Self {
            record,
            _permit: None,
        }
    }
}

/// Offsets that the waiting thread is told: (partition, offset).
#[derive(Debug)]
pub struct Answer(pub(crate) SyncSender<Vec<(i32, i64)>>);

impl Answer {
    /// Gives the answer. A thread that waited too long no longer hears it.
    pub fn send(self, offsets: Vec<(i32, i64)>) {
        let _ = self.0.send(offsets);
    }
}

/// First and next offset of a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that still exists.
    pub low: i64,
    /// The offset that the next record will get.
    pub high: i64,
}

#[derive(Debug)]
enum Command {
    Seek { partition: i32, offset: i64 },
    Stop { applied: Vec<(i32, i64)> },
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
    // Emptied by the thread when it ends: the last owner of a consumer blocks while it leaves the group.
    consumer: Arc<Mutex<Option<Arc<GroupConsumer>>>>,
}

type GroupConsumer = BaseConsumer<GroupContext>;

impl Source {
    /// Joins the group, on a new thread.
    pub fn start(config: &SourceConfig) -> Result<Self, KafkaError> {
        let (event_sender, events) = tokio::sync::mpsc::unbounded_channel();
        let (commands, command_receiver) = channel();
        let context = GroupContext {
            topic: config.topic.clone(),
            events: event_sender.clone(),
        };
        let client: ClientConfig =
            crate::settings::client(&config.brokers, "consumer", &settings(&config.group));
        let consumer: Arc<GroupConsumer> = Arc::new(client.create_with_context(context)?);
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
                shared.lock().unwrap_or_else(PoisonError::into_inner).take();
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
        let ended = || SourceEvent::Failed("the consuming thread has ended".to_owned());
        self.events.recv().await.unwrap_or_else(ended)
    }

    /// Reads `partition` from `offset` on; [`SourceEvent::Sought`] says from where in the stream of events.
    pub fn seek(&self, partition: i32, offset: i64) {
        // An ended thread has said so in its last event.
        let _ = self.commands.send(Command::Seek { partition, offset });
    }

    /// The part of this source that any task may use.
    pub fn handle(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// Commits `applied`, the next offset of each partition, leaves the group and waits until that is done.
    pub async fn close(self, applied: Vec<(i32, i64)>) {
        let Self {
            events,
            commands,
            thread,
            ..
        } = self;
        let _ = commands.send(Command::Stop { applied });
        // Whoever waits for an answer in a rebalance must not wait any longer.
        drop(events);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

impl SourceHandle {
    /// Commits the next offset of each partition, without waiting.
    pub fn commit(&self, applied: &[(i32, i64)]) -> Result<(), KafkaError> {
        let offsets = offset_list(&self.topic, applied);
        Ok(self.consumer()?.commit(&offsets, CommitMode::Async)?)
    }

    /// Asks the brokers where the logs of `partitions` begin and end; without partitions, whether the topic is there.
    /// Blocks, 5 s at most for each.
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

fn offset_list(topic: &str, offsets: &[(i32, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for &(partition, offset) in offsets {
        list.add_partition(topic, partition);
        if let Err(error) = list.set_partition_offset(topic, partition, Offset::Offset(offset)) {
            tracing::error!(partition, offset, %error, "not an offset");
        }
    }
    list
}
