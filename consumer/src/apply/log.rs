//! The first step of a batch: decodes it, sends its undecodable records to the dead-letter topic, and logs its votes.
//!
//! Before that, the consumer asks Kafka whether the topic is still the one to which the applied offset belongs. The offsets
//! of a recreated topic look like a continuation, so without the check its first votes would be skipped. The check precedes
//! the log too: a batch from the middle of the new topic can have the second copy of a repeated vote. The log would keep that
//! copy, while the tally, which starts again at offset 0, counts the first.

use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::Stores;
use crate::batch::{Batch, BatchContent, DeadLetter};
use crate::batch_trace::{BatchTrace, traced_write};
use crate::dead_letter_limit::{DeadLetterLevel, DeadLetterLimitExceeded};
use crate::log_writer::document;

/// A batch that is in the log and not yet counted.
#[derive(Debug)]
pub struct LoggedBatch {
    /// The batch.
    pub batch: Batch,
    /// The records of it.
    pub(super) content: BatchContent,
    /// The spans of the batch; None if no vote of it is sampled.
    pub(super) trace: Option<BatchTrace>,
}

/// The result of logging a batch.
#[derive(Debug)]
pub enum LogOutcome {
    /// The batch is in the log.
    Logged(Box<LoggedBatch>),
    /// The topic is not the current one: it was recreated. Nothing was written.
    OtherTopic,
    /// The partition has too many undecodable records. Nothing was written.
    DeadLetterLimitExceeded(DeadLetterLimitExceeded),
    /// Stopped while a store was failing. The batch may or may not be logged.
    Interrupted,
}

impl LoggedBatch {
    pub(crate) fn new(batch: Batch, content: BatchContent, trace: Option<BatchTrace>) -> Self {
        Self {
            batch,
            content,
            trace,
        }
    }

    /// How full the partition's leaky bucket of undecodable records is after the batch.
    pub fn level(&self) -> DeadLetterLevel {
        self.content.level
    }
}

impl Stores {
    /// Logs a batch. Retries until it succeeds or until `stop`.
    pub async fn log(&self, batch: Batch, stop: &CancellationToken) -> LogOutcome {
        self.check_and_log(batch, stop)
            .await
            .unwrap_or(LogOutcome::Interrupted)
    }

    async fn check_and_log(&self, mut batch: Batch, stop: &CancellationToken) -> Option<LogOutcome> {
        // Another batch may have asked since the last record of this one arrived.
        let topic_id = self
            .kafka
            .retry(stop, || self.topic_ids.requested_after(batch.received_at))
            .await?;
        if topic_id != batch.topic_id {
            return Some(LogOutcome::OtherTopic);
        }
        let content = match batch.take_content(self.dead_letter_limit) {
            Ok(content) => content,
            Err(exceeded) => return Some(LogOutcome::DeadLetterLimitExceeded(exceeded)),
        };
        self.send_to_dead_letter_topic(&content.dead_letters, stop)
            .await?;
        let consumed_at = SystemTime::now();
        let documents = || {
            let votes = content.votes.iter();
            votes.map(|vote| document(batch.partition, vote, consumed_at))
        };
        let tracer = self.tracer.as_ref();
        let mut trace = tracer.and_then(|tracer| tracer.start(batch.partition, &content));
        let insert = self
            .mongodb
            .write(stop, || self.log.insert(vote_log::inserts(documents())));
        traced_write(&mut trace, "mongodb", insert).await?;
        let logged = LoggedBatch::new(batch, content, trace);
        Some(LogOutcome::Logged(Box::new(logged)))
    }

    async fn send_to_dead_letter_topic(
        &self,
        dead_letters: &[DeadLetter],
        stop: &CancellationToken,
    ) -> Option<()> {
        for DeadLetter { record, error, .. } in dead_letters {
            tracing::warn!(
                record.partition,
                record.offset,
                %error,
                trace_id = record.span_context().map(|span| display(span.trace_id())),
                "cannot decode a record; sending it to the dead-letter topic"
            );
            let reason = error.to_string();
            self.kafka
                .write(stop, || self.dead_letters.send(record, &self.topic, &reason))
                .await?;
            self.metrics.dead_letter();
        }
        Some(())
    }
}
