//! What a follower has missed, read by a change stream of its own.

use std::time::Duration;

use mongodb::change_stream::ChangeStream;
use mongodb::error::Error;

use super::hub::{Change, Logged, is_history_lost, open, read};
use super::token::Token;
use crate::logs::Logs;

/// How long the server waits for more: there is more, up to where the shared change stream is.
const WAIT: Duration = Duration::from_millis(100);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// Votes that are read at most: who has missed more reads the log anew.
const MOST_VOTES: u32 = 100_000;

/// Reads what a follower has missed, up to a place where the shared change stream was.
#[derive(Debug)]
pub(super) struct CatchUp {
    changes: ChangeStream<Change>,
    to: Token,
    votes: u32,
}

/// What one step has brought.
#[derive(Debug)]
pub(super) struct Step {
    /// A vote, if there was one.
    pub logged: Option<Logged>,
    /// All up to here is read.
    pub reached: Option<Token>,
    /// Nothing is left to be read.
    pub is_done: bool,
}

/// Why a follower could not catch up.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was missed cannot be had any more, or is too much.
    Lost,
    /// MongoDB does not answer.
    Away,
}

impl CatchUp {
    /// Begins behind `from`. None if that is not before `to`.
    pub(super) async fn begin(logs: &Logs, from: &Token, to: Token) -> Result<Option<Self>, Failure> {
        if *from >= to {
            // Catching up goes a little beyond where the shared change stream is; nothing goes beyond now.
            return if from.is_in_the_future() {
                Err(Failure::Lost)
            } else {
                Ok(None)
            };
        }
        let changes = in_time(open(logs, Some(from), WAIT)).await?;
        Ok(Some(Self {
            changes,
            to,
            votes: 0,
        }))
    }

    /// Reads a vote, or finds none. Where nothing at all is written, MongoDB says only after some seconds that it has
    /// looked far enough.
    pub(super) async fn step(&mut self, logs: &Logs) -> Result<Step, Failure> {
        let change = in_time(self.changes.next_if_any()).await?;
        // The log was dropped since.
        if !self.changes.is_alive() || self.votes > MOST_VOTES {
            return Err(Failure::Lost);
        }
        let logged = change.and_then(|change| read(logs, &change));
        self.votes += u32::from(logged.is_some());
        let reached = self.changes.resume_token().as_ref().and_then(Token::of);
        Ok(Step {
            logged,
            is_done: reached.as_ref().is_some_and(|reached| *reached >= self.to),
            reached,
        })
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_history_lost(&error) => {
            tracing::debug!(%error, "a follower's place in the change log is lost");
            Err(Failure::Lost)
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a follower cannot catch up");
            Err(Failure::Away)
        }
        Err(_) => Err(Failure::Away),
    }
}
