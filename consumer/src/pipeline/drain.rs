//! The end of a pipeline: finishes the batches in flight, then lets the source leave the group.

use std::time::Duration;

use kafka::source::SourceEvent;
use tokio::time::Instant;

use super::Pipeline;
use crate::partition::Partition;

impl Pipeline {
    /// Finishes the batches in flight, also those of revoked partitions. Takes part in rebalances meanwhile: the other
    /// members of the group wait for each answer.
    pub(super) async fn finish_in_flight(&mut self, drain: Duration) {
        let deadline = Instant::now() + drain;
        let mut is_source_open = true;
        self.partitions.values_mut().for_each(Partition::discard_pending);
        while self.is_in_flight() {
            tokio::select! {
                event = self.source.next(), if is_source_open => is_source_open = self.on_event_in_drain(event),
                finished = self.tasks.join_next() => match finished {
                    Some(Ok(finished)) => {
                        // The pipeline ends anyway. If there is another reason to end, the next start finds it again.
                        let _ = self.on_finished(finished);
                    }
                    Some(Err(_)) | None => break,
                },
                () = tokio::time::sleep_until(deadline) => {
                    tracing::warn!(
                        ?drain,
                        "abandoned the batches in flight; the next start applies them"
                    );
                    break;
                }
            }
        }
        self.stop_retries.cancel();
        self.tasks.shutdown().await;
        self.revocations.abandon();
    }

    fn is_in_flight(&self) -> bool {
        self.revocations.is_in_flight() || self.partitions.values().any(Partition::is_in_flight)
    }

    /// Returns false if the source has ended.
    fn on_event_in_drain(&mut self, event: SourceEvent) -> bool {
        match event {
            SourceEvent::Revoked { partitions, done } => self.revoke(&partitions, done),
            // Reads nothing from a new partition. It goes to another member as soon as this one leaves the group.
            SourceEvent::Assigned { start, .. } => start.send(Vec::new()),
            SourceEvent::Record(_) | SourceEvent::SeekCompleted { .. } => {}
            SourceEvent::Failed(_) => return false,
        }
        true
    }
}
