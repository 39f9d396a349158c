//! Differences between the stores, each described by a sentence.

use serde::Serialize;
use uuid::Uuid;
use vote::Route;

/// The store in which a difference was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    Kafka,
    Redis,
    Mongodb,
    Ledger,
}

impl Store {
    /// The name in a sentence.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::Redis => "Redis",
            Self::Mongodb => "MongoDB",
            Self::Ledger => "the ledger",
        }
    }
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A vote is missing.
    Missing,
    /// A vote occurs more than once.
    Double,
    /// A vote was counted, but its sender has no receipt for it.
    Unacknowledged,
    /// Two numbers that must be equal differ.
    Count,
    /// A record, a document or a line has content that no part of this system writes.
    Invalid,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The route; None if the difference does not belong to one route.
    pub(crate) route: Option<&'static str>,
    /// The store in which it was found.
    pub(crate) store: Store,
    /// Its kind.
    pub(crate) kind: Kind,
    /// The vote; None if the difference does not belong to one vote.
    pub(crate) vote_id: Option<Uuid>,
    /// The complete description.
    pub(crate) sentence: String,
}

/// All differences found. If many votes have the same difference, only some of the votes are listed.
#[derive(Debug)]
pub(crate) struct Differences {
    max_listed: usize,
    found: Vec<Difference>,
}

impl Differences {
    /// Lists at most `max_listed` votes for each difference.
    pub(crate) fn new(max_listed: usize) -> Self {
        Self {
            max_listed,
            found: Vec::new(),
        }
    }

    /// Adds a difference that does not belong to single votes.
    pub(crate) fn add(&mut self, route: Option<Route>, store: Store, kind: Kind, sentence: String) {
        self.found.push(Difference {
            route: route.map(Route::as_str),
            store,
            kind,
            vote_id: None,
            sentence,
        });
    }

    /// Adds the same difference, described by `what`, for each of `votes`.
    pub(crate) fn add_votes(
        &mut self,
        route: Route,
        store: Store,
        kind: Kind,
        mut votes: Vec<Uuid>,
        what: &str,
    ) {
        votes.sort_unstable();
        for id in votes.iter().take(self.max_listed) {
            self.found.push(Difference {
                route: Some(route.as_str()),
                store,
                kind,
                vote_id: Some(*id),
                sentence: format!("{route}: vote {id}: {what}"),
            });
        }
        let more = votes.len().saturating_sub(self.max_listed);
        if more > 0 {
            self.add(
                Some(route),
                store,
                kind,
                format!("{route}: {more} more votes: {what}"),
            );
        }
    }

    /// Adds a difference for each sentence.
    pub(crate) fn add_sentences(&mut self, store: Store, kind: Kind, sentences: &[String]) {
        for sentence in sentences.iter().take(self.max_listed) {
            self.add(None, store, kind, sentence.clone());
        }
        let more = sentences.len().saturating_sub(self.max_listed);
        if more > 0 {
            self.add(None, store, kind, format!("{more} more of this kind"));
        }
    }

    /// The differences, in the order in which they were found.
    pub(crate) fn into_inner(self) -> Vec<Difference> {
        self.found
    }
}
