//! One follower: news in, events out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::catch_up::{CatchUp, Failure};
use super::hub::{Hub, Link, Logged, News, Subscription};
use super::places::Place;
use super::token::Token;
use crate::logs::Vote;

/// Time between two events with votes: more often, nobody can look.
const PACE: Duration = Duration::from_millis(250);
/// Votes of one event, the newest: more of them, nobody can read.
const MOST_VOTES: usize = 100;
/// A connection without an event for so long gets a comment: proxies close silent ones.
const SILENCE: Duration = Duration::from_secs(15);
/// Pause before a follower tries again to catch up.
const RETRY: Duration = Duration::from_secs(1);

/// Which votes a follower wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub route: Option<&'static str>,
    pub band: Option<String>,
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Follower {
    hub: Hub,
    subscription: Subscription,
    wanted: Wanted,
    /// Everything up to here was seen.
    seen: Option<Token>,
    /// Whether there are votes behind `seen` that will not come as news.
    is_behind: bool,
    catching_up: Option<CatchUp>,
    pending: Pending,
    events: VecDeque<Event>,
    /// When the next event with votes may go.
    next_votes: Instant,
    last_event: Instant,
    _place: Place,
}

/// Votes that wait for their event.
#[derive(Debug, Default)]
struct Pending {
    votes: VecDeque<Vote>,
    skipped: u64,
}

#[derive(Serialize)]
struct VotesData<'a> {
    votes: &'a VecDeque<Vote>,
    skipped: u64,
}

impl Wanted {
    fn matches(&self, vote: &Vote) -> bool {
        self.route.is_none_or(|route| vote.route == route)
            && self.band.as_ref().is_none_or(|band| vote.name == *band)
    }
}

impl Pending {
    fn push(&mut self, vote: Vote) {
        self.votes.push_back(vote);
        if self.votes.len() > MOST_VOTES {
            self.votes.pop_front();
            self.skipped += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }

    /// The event's data; nothing is pending afterwards.
    fn take(&mut self) -> Result<Event, axum::Error> {
        let (votes, skipped) = (&self.votes, self.skipped);
        let event = Event::default()
            .event("votes")
            .json_data(VotesData { votes, skipped });
        *self = Self::default();
        event
    }
}

impl Follower {
    /// Begins behind `token`, or now.
    pub(super) fn new(hub: Hub, wanted: Wanted, token: Option<Token>, place: Place) -> Self {
        let subscription = hub.subscribe();
        let mut follower = Self {
            hub,
            wanted,
            is_behind: token.is_some(),
            catching_up: None,
            seen: token,
            pending: Pending::default(),
            events: VecDeque::new(),
            next_votes: Instant::now(),
            last_event: Instant::now(),
            subscription,
            _place: place,
        };
        match follower.subscription.link.clone() {
            Link::Opening => {}
            Link::Open => {
                let position = follower.subscription.position.clone();
                follower.open(position);
            }
            Link::Away(reason) => follower.away(&reason),
        }
        follower
    }

    /// The next event. None never comes: a follower ends with its connection.
    pub(super) async fn next(&mut self) -> Event {
        let event = loop {
            if let Some(event) = self.events.pop_front() {
                break event;
            }
            if self.last_event.elapsed() >= SILENCE {
                break self.sign_of_life();
            }
            if self.is_behind && self.is_open() {
                self.catch_up().await;
                continue;
            }
            tokio::select! {
                news = self.subscription.news.recv() => self.hear(news),
                () = tokio::time::sleep_until(self.next_votes), if !self.pending.is_empty() => self.flush(),
                () = tokio::time::sleep_until(self.last_event + SILENCE) => {}
            }
        };
        self.last_event = Instant::now();
        event
    }

    fn is_open(&self) -> bool {
        matches!(self.subscription.link, Link::Open)
    }

    fn hear(&mut self, news: Result<News, RecvError>) {
        match news {
            Ok(News::Open(position)) => {
                self.subscription.link = Link::Open;
                self.open(position);
            }
            // What it has missed comes first, and these with it.
            Ok(News::Votes(_)) if self.is_behind => {}
            Ok(News::Votes(votes)) => {
                for logged in votes.iter() {
                    self.see(logged.clone());
                }
            }
            Ok(News::Away(reason)) => {
                self.flush();
                self.away(&reason);
                self.subscription.link = Link::Away(reason);
            }
            Ok(News::Reset) => self.reset(),
            // Too slow: what the others were told has to be read again.
            Err(RecvError::Lagged(_)) => self.fall_behind(),
            // The hub has a sender as long as it lives, and this holds the hub.
            Err(RecvError::Closed) => {}
        }
    }

    fn open(&mut self, position: Option<Token>) {
        if self.seen.is_none() {
            self.seen = position;
        }
        let ready = Event::default().event("ready").data("{}");
        self.events.push_back(self.with_id(ready));
    }

    fn away(&mut self, reason: &Arc<str>) {
        let data = serde_json::json!({ "reason": **reason });
        self.events
            .push_back(Event::default().event("away").data(data.to_string()));
    }

    fn reset(&mut self) {
        self.pending = Pending::default();
        self.is_behind = false;
        self.catching_up = None;
        self.seen = None;
        self.events.push_back(Event::default().event("reset").data("{}"));
    }

    fn fall_behind(&mut self) {
        self.subscription = self.hub.subscribe();
        self.is_behind = true;
        if self.seen.is_none() {
            self.reset();
        }
    }

    async fn catch_up(&mut self) {
        match self.read_missed().await {
            Ok(()) => {}
            Err(Failure::Lost) => self.reset(),
            // Either the others hear of it too, or it is over soon.
            Err(Failure::Away) => tokio::select! {
                news = self.subscription.news.recv() => self.hear(news),
                () = tokio::time::sleep(RETRY) => {}
            },
        }
    }

    /// A step of catching up. After a failure, the next one begins anew behind what was read.
    async fn read_missed(&mut self) -> Result<(), Failure> {
        let logs = self.hub.logs().clone();
        let mut catching_up = if let Some(catching_up) = self.catching_up.take() {
            catching_up
        } else {
            let places = self.seen.clone().zip(self.hub.position());
            let (from, to) = places.ok_or(Failure::Lost)?;
            // Some of it comes in one event then, and not the first vote by itself.
            self.next_votes = Instant::now() + PACE;
            let Some(catching_up) = CatchUp::begin(&logs, &from, to).await? else {
                self.is_behind = false;
                return Ok(());
            };
            catching_up
        };
        let step = catching_up.step(&logs).await?;
        if let Some(logged) = step.logged {
            self.see(logged);
        }
        self.seen = step.reached.or(self.seen.take());
        self.is_behind = !step.is_done;
        self.catching_up = self.is_behind.then_some(catching_up);
        if Instant::now() >= self.next_votes {
            self.flush();
        }
        Ok(())
    }

    fn see(&mut self, logged: Logged) {
        // While catching up it has read beyond where the news begin.
        if self.seen.as_ref().is_some_and(|seen| logged.token <= *seen) {
            return;
        }
        if self.wanted.matches(&logged.vote) {
            self.pending.push(logged.vote);
        }
        self.seen = Some(logged.token);
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.next_votes = Instant::now() + PACE;
        match self.pending.take() {
            Ok(event) => {
                let event = self.with_id(event);
                self.events.push_back(event);
            }
            Err(error) => tracing::error!(%error, "a vote cannot be written as JSON"),
        }
    }

    /// A comment, with the place: a follower whose filter lets nothing pass must not come back with one long lost.
    fn sign_of_life(&self) -> Event {
        self.with_id(Event::default().comment(""))
    }

    fn with_id(&self, event: Event) -> Event {
        match &self.seen {
            Some(token) => event.id(token.as_str()),
            None => event,
        }
    }
}
