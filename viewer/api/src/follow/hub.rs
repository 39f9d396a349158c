//! The change stream that all followers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use mongodb::error::Error;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::change_stream::{LoggedVote, is_history_lost, open, read};
use super::token::Token;
use crate::logs::Logs;

/// Events that a follower may be behind before it must catch up from a separate change stream: three seconds of batches at
/// [`BATCH_PAUSE`].
const CHANNEL_CAPACITY: usize = 64;
/// Maximum number of votes of one event. Together with [`CHANNEL_CAPACITY`] it bounds the memory that a stalled follower
/// can occupy.
const MAX_BATCH: usize = 1_000;
/// Pause after a batch, so that many small changes form one batch: at most 20 batches per second.
const BATCH_PAUSE: Duration = Duration::from_millis(50);
/// How long the change stream stays open without followers: a page that reloads finds it open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server waits for changes before it answers.
const SERVER_WAIT: Duration = Duration::from_secs(1);
/// Pause before the change stream is opened again after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// An event for all followers.
#[derive(Clone, Debug)]
pub(super) enum HubEvent {
    /// The change stream is open at this position. It continues without a gap after earlier events.
    Open(Option<Token>),
    /// Votes, oldest first.
    Votes(Arc<Vec<LoggedVote>>),
    /// MongoDB does not answer, with the reason.
    Unavailable(Arc<str>),
    /// The changes since the last event are lost.
    Reset,
}

/// The state of the change stream.
#[derive(Clone, Debug, Default)]
pub(super) enum HubState {
    /// It is being opened.
    #[default]
    Opening,
    /// It is open.
    Open,
    /// MongoDB does not answer, with the reason.
    Unavailable(Arc<str>),
}

/// The shared change stream: opened for the first follower, closed some time after the last one has left.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    logs: Logs,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: Sender<HubEvent>,
    /// Locked while an event is sent, so that a follower subscribes either before or after it.
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    is_running: bool,
    state: HubState,
    /// All changes up to here were sent.
    position: Option<Token>,
}

/// A follower's end of the change stream.
#[derive(Debug)]
pub(super) struct Subscription {
    pub state: HubState,
    /// The events start after this position.
    pub position: Option<Token>,
    pub events: Receiver<HubEvent>,
}

impl Hub {
    /// The change stream opens with the first subscription.
    pub(crate) fn new(logs: Logs) -> Self {
        let shared = Shared {
            sender: broadcast::channel(CHANNEL_CAPACITY).0,
            progress: Mutex::default(),
        };
        Self {
            logs,
            shared: Arc::new(shared),
        }
    }

    /// The log that the hub follows.
    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Adds a follower, and opens the change stream for the first one.
    pub(super) fn subscribe(&self) -> Subscription {
        let mut progress = self.shared.progress();
        let events = self.shared.sender.subscribe();
        if !progress.is_running {
            *progress = Progress {
                is_running: true,
                ..Progress::default()
            };
            tokio::spawn(run(self.clone()));
        }
        Subscription {
            state: progress.state.clone(),
            position: progress.position.clone(),
            events,
        }
    }

    /// The position up to which all changes were sent.
    pub(super) fn position(&self) -> Option<Token> {
        self.shared.progress().position.clone()
    }

    fn publish(&self, event: HubEvent) {
        let mut progress = self.shared.progress();
        // `Unavailable` is sent once, not after each failed attempt.
        if matches!(
            (&event, &progress.state),
            (HubEvent::Unavailable(_), HubState::Unavailable(_))
        ) {
            return;
        }
        match &event {
            HubEvent::Open(_) => progress.state = HubState::Open,
            HubEvent::Unavailable(reason) => progress.state = HubState::Unavailable(Arc::clone(reason)),
            HubEvent::Votes(votes) => progress.position = votes.last().map(|last| last.token.clone()),
            HubEvent::Reset => progress.position = None,
        }
        // An error means that there is no follower at the moment.
        let _ = self.shared.sender.send(event);
    }

    /// Marks the hub as stopped if it has no follower. The lock prevents a subscription in between.
    fn stop_if_unused(&self) -> bool {
        let mut progress = self.shared.progress();
        if self.shared.sender.receiver_count() == 0 {
            progress.is_running = false;
        }
        !progress.is_running
    }
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the log until there is no follower.
async fn run(hub: Hub) {
    tracing::debug!("following the log");
    loop {
        let reason: Arc<str> = match follow(&hub).await {
            Ok(StreamEnd::Unused) => break,
            // The collection was dropped: later changes have no connection to earlier ones.
            Ok(StreamEnd::Invalidated) => {
                hub.publish(HubEvent::Reset);
                continue;
            }
            Err(error) if is_history_lost(&error) => {
                tracing::warn!(%error, "cannot resume the change stream: MongoDB's oplog no longer has its position; starting at the newest change");
                hub.publish(HubEvent::Reset);
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, retry_after = ?RETRY_PAUSE, "cannot follow the log");
                "MongoDB does not answer".into()
            }
        };
        hub.publish(HubEvent::Unavailable(reason));
        tokio::time::sleep(RETRY_PAUSE).await;
        if hub.stop_if_unused() {
            break;
        }
    }
    tracing::debug!("stopped following the log: no client follows it");
}

/// Why a change stream ended without an error.
enum StreamEnd {
    /// There is no follower.
    Unused,
    /// MongoDB invalidated it: the collection was dropped or renamed.
    Invalidated,
}

async fn follow(hub: &Hub) -> Result<StreamEnd, Error> {
    let mut changes = open(&hub.logs, hub.position().as_ref(), SERVER_WAIT).await?;
    let beginning = changes.resume_token().as_ref().and_then(Token::from_resume);
    let position = hub.position().or(beginning);
    hub.shared.progress().position.clone_from(&position);
    hub.publish(HubEvent::Open(position));
    let mut idle_checks = tokio::time::interval_at(tokio::time::Instant::now() + IDLE_TIMEOUT, IDLE_TIMEOUT);
    loop {
        let first = tokio::select! {
            change = changes.next() => change,
            _ = idle_checks.tick() => {
                if hub.stop_if_unused() {
                    return Ok(StreamEnd::Unused);
                }
                continue;
            }
        };
        let mut next = first;
        let mut votes = Vec::new();
        let outcome = loop {
            match next {
                Some(Ok(change)) => votes.extend(read(&hub.logs, &change)),
                Some(Err(error)) => break Some(Err(error)),
                None => break Some(Ok(StreamEnd::Invalidated)),
            }
            if votes.len() >= MAX_BATCH {
                break None;
            }
            // Takes only what the driver has buffered already, without a request to the server.
            match changes.next().now_or_never() {
                Some(ready) => next = ready,
                None => break None,
            }
        };
        if !votes.is_empty() {
            hub.publish(HubEvent::Votes(Arc::new(votes)));
        }
        if let Some(ended) = outcome {
            return ended;
        }
        tokio::time::sleep(BATCH_PAUSE).await;
    }
}
