//! One follower: turns events of the hub into server-sent events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::catch_up::{CatchUp, Failure};
use super::change_stream::LoggedVote;
use super::hub::{Hub, HubEvent, HubState, Subscription};
use super::stream_slots::StreamSlot;
use super::token::Token;
use crate::logs::{BandFilter, Vote};

/// Time between two events with votes: people cannot read faster.
const VOTES_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of votes of one event, the newest ones: people cannot read more.
const MAX_VOTES: usize = 100;
/// A connection without an event for this time gets a comment, because proxies close silent connections.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Pause before a follower tries again to catch up.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Selects the votes that a follower receives.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamFilter {
    pub route: Option<&'static str>,
    pub band: Option<BandFilter>,
}

/// The connection of one client.
#[derive(Debug)]
pub(super) struct Follower {
    hub: Hub,
    subscription: Subscription,
    filter: StreamFilter,
    /// All changes up to here were handled.
    position: Option<Token>,
    /// Whether there are votes after `position` that the hub does not send.
    is_behind: bool,
    catching_up: Option<CatchUp>,
    pending: PendingVotes,
    events: VecDeque<Event>,
    /// The earliest time of the next event with votes.
    next_votes: Instant,
    last_event: Instant,
    _slot: StreamSlot,
}

/// Votes for the next event.
#[derive(Debug, Default)]
struct PendingVotes {
    votes: VecDeque<Vote>,
    skipped: u64,
}

#[derive(Serialize)]
struct VotesData<'a> {
    votes: &'a VecDeque<Vote>,
    skipped: u64,
}

impl StreamFilter {
    fn matches(&self, vote: &Vote) -> bool {
        self.route.is_none_or(|route| vote.route == route)
            && self.band.as_ref().is_none_or(|band| band.matches(&vote.name))
    }
}

impl PendingVotes {
    fn push(&mut self, vote: Vote) {
        self.votes.push_back(vote);
        if self.votes.len() > MAX_VOTES {
            self.votes.pop_front();
            self.skipped += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }

    /// Creates the event. No vote is pending afterwards.
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
    /// Starts after `token`, or now.
    pub(super) fn new(hub: Hub, filter: StreamFilter, token: Option<Token>, slot: StreamSlot) -> Self {
        let subscription = hub.subscribe();
        let mut follower = Self {
            hub,
            filter,
            is_behind: token.is_some(),
            catching_up: None,
            position: token,
            pending: PendingVotes::default(),
            events: VecDeque::new(),
            next_votes: Instant::now(),
            last_event: Instant::now(),
            subscription,
            _slot: slot,
        };
        match follower.subscription.state.clone() {
            HubState::Opening => {}
            HubState::Open => {
                let position = follower.subscription.position.clone();
                follower.push_ready(position);
            }
            HubState::Unavailable(reason) => follower.push_unavailable(&reason),
        }
        follower
    }

    /// The next event. The events never end; the connection drops the follower when it closes.
    pub(super) async fn next(&mut self) -> Event {
        let event = loop {
            if let Some(event) = self.events.pop_front() {
                break event;
            }
            if self.last_event.elapsed() >= KEEP_ALIVE_INTERVAL {
                break self.keep_alive();
            }
            if self.is_behind && self.is_hub_open() {
                self.catch_up().await;
                continue;
            }
            tokio::select! {
                event = self.subscription.events.recv() => self.handle(event),
                () = tokio::time::sleep_until(self.next_votes), if !self.pending.is_empty() => self.flush(),
                () = tokio::time::sleep_until(self.last_event + KEEP_ALIVE_INTERVAL) => {}
            }
        };
        self.last_event = Instant::now();
        event
    }

    fn is_hub_open(&self) -> bool {
        matches!(self.subscription.state, HubState::Open)
    }

    fn handle(&mut self, event: Result<HubEvent, RecvError>) {
        match event {
            Ok(HubEvent::Open(position)) => {
                self.subscription.state = HubState::Open;
                self.push_ready(position);
            }
            // The replay of the missed votes includes these.
            Ok(HubEvent::Votes(_)) if self.is_behind => {}
            Ok(HubEvent::Votes(votes)) => {
                for logged in votes.iter() {
                    self.add(logged.clone());
                }
            }
            Ok(HubEvent::Unavailable(reason)) => {
                self.flush();
                self.push_unavailable(&reason);
                self.subscription.state = HubState::Unavailable(reason);
            }
            Ok(HubEvent::Reset) => self.reset(),
            // Too slow: the events that were dropped from the channel must be read again.
            Err(RecvError::Lagged(_)) => self.fall_behind(),
            // Cannot happen: `self.hub` holds a sender.
            Err(RecvError::Closed) => {}
        }
    }

    fn push_ready(&mut self, position: Option<Token>) {
        if self.position.is_none() {
            self.position = position;
        }
        let ready = Event::default().event("ready").data("{}");
        self.events.push_back(self.with_id(ready));
    }

    fn push_unavailable(&mut self, reason: &Arc<str>) {
        let data = serde_json::json!({ "reason": **reason });
        self.events
            .push_back(Event::default().event("unavailable").data(data.to_string()));
    }

    fn reset(&mut self) {
        self.pending = PendingVotes::default();
        self.is_behind = false;
        self.catching_up = None;
        self.position = None;
        self.events.push_back(Event::default().event("reset").data("{}"));
    }

    fn fall_behind(&mut self) {
        self.subscription = self.hub.subscribe();
        self.is_behind = true;
        if self.position.is_none() {
            self.reset();
        }
    }

    async fn catch_up(&mut self) {
        match self.read_missed().await {
            Ok(()) => {}
            Err(Failure::HistoryLost) => self.reset(),
            // Waits for the hub to report the failure too, or tries again.
            Err(Failure::Unavailable) => tokio::select! {
                event = self.subscription.events.recv() => self.handle(event),
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            },
        }
    }

    /// One step of catching up. After a failure, the next step starts a new replay after `position`.
    async fn read_missed(&mut self) -> Result<(), Failure> {
        let logs = self.hub.logs().clone();
        let mut catching_up = if let Some(catching_up) = self.catching_up.take() {
            catching_up
        } else {
            let range = self.position.clone().zip(self.hub.position());
            let (from, to) = range.ok_or(Failure::HistoryLost)?;
            // Delays the first event, so that it has several votes and not only the first one.
            self.next_votes = Instant::now() + VOTES_INTERVAL;
            let Some(catching_up) = CatchUp::begin(&logs, &from, to).await? else {
                self.is_behind = false;
                return Ok(());
            };
            catching_up
        };
        let step = catching_up.step(&logs).await?;
        if let Some(logged) = step.logged {
            self.add(logged);
        }
        self.position = step.reached.or(self.position.take());
        self.is_behind = !step.is_done;
        self.catching_up = self.is_behind.then_some(catching_up);
        if Instant::now() >= self.next_votes {
            self.flush();
        }
        Ok(())
    }

    fn add(&mut self, logged: LoggedVote) {
        // A replay may read beyond the start of the subscription: such votes arrive twice.
        if self
            .position
            .as_ref()
            .is_some_and(|position| logged.token <= *position)
        {
            return;
        }
        if self.filter.matches(&logged.vote) {
            self.pending.push(logged.vote);
        }
        self.position = Some(logged.token);
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.next_votes = Instant::now() + VOTES_INTERVAL;
        match self.pending.take() {
            Ok(event) => {
                let event = self.with_id(event);
                self.events.push_back(event);
            }
            Err(error) => {
                tracing::error!(%error, "cannot write votes as JSON; they are left out of the stream");
            }
        }
    }

    /// A comment with the current position. Without it, a follower whose filter matches nothing would reconnect with a
    /// position that the oplog no longer has.
    fn keep_alive(&self) -> Event {
        self.with_id(Event::default().comment(""))
    }

    fn with_id(&self, event: Event) -> Event {
        match &self.position {
            Some(token) => event.id(token.as_str()),
            None => event,
        }
    }
}
