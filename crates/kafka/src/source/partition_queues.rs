//! A queue for each assigned partition, so that the thread can take turns between them.
//!
//! The client library has one queue for all partitions by default, and its limits apply to all together. With a backlog, that
//! queue is always full; the partition that is checked first after a record is taken from it fetches, and fills it again. The
//! first partition was read 16 times as fast as the last one.

use std::sync::Arc;
use std::thread;

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaResult;

use super::context::{GroupConsumer, GroupContext};

/// The queues of the assigned partitions.
pub(super) struct PartitionQueues {
    consumer: Arc<GroupConsumer>,
    topic: String,
    queues: Vec<PartitionQueue<GroupContext>>,
    /// The number of the rebalance after which the queues were opened.
    rebalance: u64,
    /// Whose turn is next.
    next: usize,
}

impl PartitionQueues {
    /// No queues. The thread that calls [`Self::update`] is woken when a record arrives.
    pub(super) fn new(consumer: Arc<GroupConsumer>, topic: String) -> Self {
        Self {
            consumer,
            topic,
            queues: Vec::new(),
            rebalance: 0,
            next: 0,
        }
    }

    /// Opens the queues of the partitions that are assigned now. The context has separated them from the common queue.
    pub(super) fn update(&mut self) -> KafkaResult<()> {
        let rebalance = self.consumer.context().rebalances();
        if rebalance == self.rebalance {
            return Ok(());
        }
        // The end of a queue's handle also removes its callback, so the old handles must end before new ones exist.
        self.queues.clear();
        for element in self.consumer.assignment()?.elements() {
            let queue = self
                .consumer
                .split_partition_queue(&self.topic, element.partition());
            if let Some(mut queue) = queue {
                let reader = thread::current();
                queue.set_nonempty_callback(move || reader.unpark());
                self.queues.push(queue);
            }
        }
        self.rebalance = rebalance;
        Ok(())
    }

    /// Whether a rebalance has changed the assignment since the last update.
    pub(super) fn are_outdated(&self) -> bool {
        self.consumer.context().rebalances() != self.rebalance
    }

    /// The number of queues.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// The queue whose turn it is; then it is the turn of the next one.
    pub(super) fn take_turn(&mut self) -> Option<&PartitionQueue<GroupContext>> {
        let turn = self.next;
        self.next = (turn + 1) % self.queues.len().max(1);
        self.queues.get(turn).or_else(|| self.queues.first())
    }
}
