//! What a follower has missed, read by a change stream of its own.

use std::time::Duration;

use mongodb::error::Error;

use super::hub::{Logged, is_history_lost, open, read};
use super::token::Token;
use crate::logs::Logs;

/// How long the server waits for more: there is more, up to where the shared change stream is.
const WAIT: Duration = Duration::from_millis(100);
/// How long catching up may take: who has missed more than that reads the log anew.
const LIMIT: Duration = Duration::from_secs(20);

/// Why a follower could not catch up.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was missed cannot be had any more, or is too much.
    Lost,
    /// MongoDB does not answer.
    Away,
}

/// Hands every vote behind `from` and up to `to` to `take`, oldest first; perhaps some behind that. Returns the place that
/// was reached.
pub(super) async fn catch_up(
    logs: &Logs,
    from: &Token,
    to: &Token,
    take: impl FnMut(Logged),
) -> Result<Token, Failure> {
    if from >= to {
        // Catching up goes a little beyond where the shared change stream is; nothing goes beyond now.
        return if from.is_in_the_future() {
            Err(Failure::Lost)
        } else {
            Ok(from.clone())
        };
    }
    match tokio::time::timeout(LIMIT, read_up_to(logs, from, to, take)).await {
        Ok(Ok(Some(reached))) => Ok(reached),
        Ok(Ok(None)) | Err(_) => Err(Failure::Lost),
        Ok(Err(error)) if is_history_lost(&error) => {
            tracing::debug!(%error, "a follower's place in the change log is lost");
            Err(Failure::Lost)
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a follower cannot catch up");
            Err(Failure::Away)
        }
    }
}

/// None where the change stream ended: the collection was dropped.
async fn read_up_to(
    logs: &Logs,
    from: &Token,
    to: &Token,
    mut take: impl FnMut(Logged),
) -> Result<Option<Token>, Error> {
    let mut changes = open(logs, Some(from), WAIT).await?;
    while changes.is_alive() {
        if let Some(logged) = changes
            .next_if_any()
            .await?
            .and_then(|change| read(logs, &change))
        {
            take(logged);
        }
        // Where there was no vote, MongoDB says how far it has looked.
        let reached = changes.resume_token().as_ref().and_then(Token::of);
        if let Some(reached) = reached.filter(|reached| reached >= to) {
            return Ok(Some(reached));
        }
    }
    Ok(None)
}
