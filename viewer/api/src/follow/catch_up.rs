//! Replays the votes that a follower missed, from a separate change stream.

use std::time::Duration;

use mongodb::error::Error;

use super::change_stream::{Changes, LoggedVote, is_history_lost, open, read};
use super::token::Token;
use crate::logs::Logs;

/// How long the server waits for changes. The missed changes already exist, so this is short.
const SERVER_WAIT: Duration = Duration::from_millis(100);
/// How long MongoDB may take to answer.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Maximum number of votes that are replayed. A follower that missed more must load the log again.
const MAX_VOTES: u32 = 100_000;

/// A replay of what a follower missed, up to a position of the shared change stream.
#[derive(Debug)]
pub(super) struct CatchUp {
    changes: Changes,
    to: Token,
    votes: u32,
}

/// The result of one step.
#[derive(Debug)]
pub(super) struct Step {
    /// A vote, if there was one.
    pub logged: Option<LoggedVote>,
    /// All changes up to here are read.
    pub reached: Option<Token>,
    /// Whether the replay is complete.
    pub is_done: bool,
}

/// Why a follower could not catch up.
#[derive(Debug)]
pub(super) enum Failure {
    /// The missed changes no longer exist, or there are too many.
    HistoryLost,
    /// MongoDB does not answer.
    Unavailable,
}

impl CatchUp {
    /// Starts after `from`. None if `from` is not before `to`.
    pub(super) async fn begin(logs: &Logs, from: &Token, to: Token) -> Result<Option<Self>, Failure> {
        if *from >= to {
            // A replay may end slightly after the shared change stream's position, but never in the future.
            return if from.is_in_the_future() {
                Err(Failure::HistoryLost)
            } else {
                Ok(None)
            };
        }
        let changes = with_timeout(open(logs, Some(from), SERVER_WAIT)).await?;
        Ok(Some(Self {
            changes,
            to,
            votes: 0,
        }))
    }

    /// Reads at most one vote. If the database is idle, MongoDB may need some seconds to report that the replay is complete.
    pub(super) async fn step(&mut self, logs: &Logs) -> Result<Step, Failure> {
        let change = with_timeout(self.changes.next_if_any()).await?;
        // The log was dropped meanwhile, or too much was missed.
        if !self.changes.is_alive() || self.votes > MAX_VOTES {
            return Err(Failure::HistoryLost);
        }
        let logged = change.and_then(|change| read(logs, &change));
        self.votes += u32::from(logged.is_some());
        let reached = self.changes.resume_token().as_ref().and_then(Token::from_resume);
        Ok(Step {
            logged,
            is_done: reached.as_ref().is_some_and(|reached| *reached >= self.to),
            reached,
        })
    }
}

async fn with_timeout<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_history_lost(&error) => {
            tracing::debug!(%error, "a follower cannot catch up: MongoDB's oplog no longer has its position");
            Err(Failure::HistoryLost)
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a follower cannot catch up: MongoDB returned an error");
            Err(Failure::Unavailable)
        }
        Err(_) => Err(Failure::Unavailable),
    }
}
