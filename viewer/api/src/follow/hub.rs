//! The change stream that all followers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ChangeStreamEvent;
use mongodb::error::{Error, ErrorKind};
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::token::Token;
use crate::logs::{Logs, Vote};

/// A change as the driver hands it over.
pub(super) type Change = ChangeStreamEvent<RawDocumentBuf>;

/// News that a follower may lie behind before it has to catch up by itself: at the pace below, three seconds' worth.
const NEWS: usize = 64;
/// Votes of one piece of news. With the number above, what a follower that stands still can make this process hold.
const PIECE: usize = 1_000;
/// Pause after a piece, so that many small changes become one: at most twenty pieces a second.
const PACE: Duration = Duration::from_millis(50);
/// How long the change stream goes on for nobody: a page that is loaded again finds it open.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before MongoDB is asked again.
const RETRY: Duration = Duration::from_millis(500);
/// The server's codes for a token that is no longer in its change log, or that never was one.
const HISTORY_LOST: [i32; 4] = [286, 280, 260, 50_811];

/// A vote with its place in the change log.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub token: Token,
    pub vote: Vote,
}

/// What all followers are told.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// The change stream is open, from this place on; it joins on without a gap to what came before, if anything did.
    Open(Option<Token>),
    /// Votes, oldest first.
    Votes(Arc<Vec<Logged>>),
    /// MongoDB does not answer, and why.
    Away(Arc<str>),
    /// What happened meanwhile can no longer be known.
    Reset,
}

/// How things stand for a follower that begins.
#[derive(Clone, Debug, Default)]
pub(super) enum Link {
    /// Nobody knows yet.
    #[default]
    Opening,
    /// Open.
    Open,
    /// MongoDB does not answer, and why.
    Away(Arc<str>),
}

/// The shared change stream: opened with the first follower, closed some time after the last.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    logs: Logs,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: Sender<News>,
    /// Locked while news is sent, so that a follower begins either before or after it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    link: Link,
    /// All up to here was sent.
    position: Option<Token>,
}

/// A follower's end of the change stream.
#[derive(Debug)]
pub(super) struct Subscription {
    pub link: Link,
    /// What comes by `news` lies behind this.
    pub position: Option<Token>,
    pub news: Receiver<News>,
}

impl Hub {
    /// Closed as yet.
    pub(crate) fn new(logs: Logs) -> Self {
        let shared = Shared {
            sender: broadcast::channel(NEWS).0,
            state: Mutex::default(),
        };
        Self {
            logs,
            shared: Arc::new(shared),
        }
    }

    /// The log that it follows.
    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Begins to follow.
    pub(super) fn subscribe(&self) -> Subscription {
        let mut state = self.shared.state();
        let news = self.shared.sender.subscribe();
        if !state.is_running {
            *state = State {
                is_running: true,
                ..State::default()
            };
            tokio::spawn(run(self.clone()));
        }
        Subscription {
            link: state.link.clone(),
            position: state.position.clone(),
            news,
        }
    }

    /// All up to here was sent.
    pub(super) fn position(&self) -> Option<Token> {
        self.shared.state().position.clone()
    }

    fn tell(&self, news: News) {
        let mut state = self.shared.state();
        // Said once, not at each attempt.
        if matches!((&news, &state.link), (News::Away(_), Link::Away(_))) {
            return;
        }
        match &news {
            News::Open(_) => state.link = Link::Open,
            News::Away(reason) => state.link = Link::Away(Arc::clone(reason)),
            News::Votes(votes) => state.position = votes.last().map(|last| last.token.clone()),
            News::Reset => state.position = None,
        }
        // An error means that nobody listens just now.
        let _ = self.shared.sender.send(news);
    }

    /// Ends the work if nobody listens; nobody can begin to meanwhile.
    fn ends(&self) -> bool {
        let mut state = self.shared.state();
        if self.shared.sender.receiver_count() == 0 {
            state.is_running = false;
        }
        !state.is_running
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a change stream that begins at a token of old cannot be had any more.
pub(super) fn is_history_lost(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if HISTORY_LOST.contains(&command.code))
}

/// Opens a change stream of new votes, behind `token` where there is one.
pub(super) async fn open(
    logs: &Logs,
    token: Option<&Token>,
    wait: Duration,
) -> Result<ChangeStream<Change>, Error> {
    let pipeline = [doc! { "$match": { "operationType": "insert" } }];
    let collection = logs.collection().await?;
    let collection = collection.clone_with_type::<RawDocumentBuf>();
    let watch = collection.watch().pipeline(pipeline).max_await_time(wait);
    match token {
        Some(token) => {
            watch
                .resume_after(token.to_resume().map_err(Error::custom)?)
                .await
        }
        None => watch.await,
    }
}

/// A change as a vote. None if it is none.
pub(super) fn read(logs: &Logs, change: &Change) -> Option<Logged> {
    Some(Logged {
        token: Token::of(&change.id)?,
        vote: logs.read(change.full_document.as_ref()?)?,
    })
}

/// Follows the log until nobody listens any more.
async fn run(hub: Hub) {
    tracing::debug!("following the log");
    loop {
        let reason: Arc<str> = match follow(&hub).await {
            Ok(Ended::NobodyListens) => break,
            // The collection was dropped: what comes next has no connection to what was.
            Ok(Ended::Invalidated) => {
                hub.tell(News::Reset);
                continue;
            }
            Err(error) if is_history_lost(&error) => {
                tracing::warn!(%error, "the place in MongoDB's change log is lost");
                hub.tell(News::Reset);
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot follow the log");
                "MongoDB does not answer".into()
            }
        };
        hub.tell(News::Away(reason));
        tokio::time::sleep(RETRY).await;
        if hub.ends() {
            break;
        }
    }
    tracing::debug!("nobody follows the log");
}

enum Ended {
    NobodyListens,
    Invalidated,
}

async fn follow(hub: &Hub) -> Result<Ended, Error> {
    let mut changes = open(&hub.logs, hub.position().as_ref(), Duration::from_secs(1)).await?;
    let beginning = changes.resume_token().as_ref().and_then(Token::of);
    let position = hub.position().or(beginning);
    hub.shared.state().position.clone_from(&position);
    hub.tell(News::Open(position));
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + PATIENCE, PATIENCE);
    loop {
        let first = tokio::select! {
            change = changes.next() => change,
            _ = looks.tick() => {
                if hub.ends() {
                    return Ok(Ended::NobodyListens);
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
                None => break Some(Ok(Ended::Invalidated)),
            }
            if votes.len() >= PIECE {
                break None;
            }
            // What the driver has already; it does not go to the server for this.
            match changes.next().now_or_never() {
                Some(ready) => next = ready,
                None => break None,
            }
        };
        if !votes.is_empty() {
            hub.tell(News::Votes(Arc::new(votes)));
        }
        if let Some(ended) = outcome {
            return ended;
        }
        tokio::time::sleep(PACE).await;
    }
}
