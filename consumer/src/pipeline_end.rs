//! The reasons for which a pipeline ends.

use uuid::Uuid;

use crate::dead_letter_limit::DeadLetterLimitExceeded;

/// Why a pipeline ended.
#[derive(Debug)]
pub enum PipelineEnd {
    /// The process shuts down. All batches in flight were finished or abandoned.
    Shutdown,
    /// The source failed, or the topic is not the current one any more; a new pipeline may work.
    Restart(String),
    /// Too many records cannot be decoded: an operator must decide how to continue.
    DeadLetterLimitExceeded(DeadLetterLimitExceeded),
}

impl PipelineEnd {
    /// The topic of this pipeline is no longer the current one.
    pub(crate) fn topic_changed() -> Self {
        Self::Restart(
            "the current topic has changed: the topic was recreated, or Redis lost its data".to_owned(),
        )
    }

    /// Another topic replaced the assigned one in Redis.
    pub(crate) fn topic_replaced(topic: &str, id: Uuid) -> Self {
        Self::Restart(format!(
            "topic {topic} has the id {id}, but Redis holds the tallies of a topic that replaced it. Check whether the \
             broker's metadata is outdated, and whether another consumer counts another topic into this Redis"
        ))
    }
}
