//! What does not agree, each with a sentence for people.

use serde::Serialize;
use uuid::Uuid;
use vote::Route;

/// Where a difference shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    Kafka,
    Redis,
    Mongodb,
    Ledger,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A vote that must be there is not.
    Missing,
    /// A vote is there more than once.
    Double,
    /// A vote is there, and its sender has no receipt.
    Unacknowledged,
    /// Numbers that must be equal are not.
    Count,
    /// Something that nobody should have written.
    Odd,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The route, where it is of one.
    pub(crate) route: Option<&'static str>,
    /// Where it shows.
    pub(crate) store: Store,
    /// Its kind.
    pub(crate) kind: Kind,
    /// The vote, where it is of one.
    pub(crate) vote_id: Option<Uuid>,
    /// The whole of it, for people.
    pub(crate) sentence: String,
}

/// All differences found; of many votes with the same one, only some are listed.
#[derive(Debug)]
pub(crate) struct Findings {
    list: usize,
    found: Vec<Difference>,
}

impl Findings {
    /// Lists at most `list` votes of each difference.
    pub(crate) fn new(list: usize) -> Self {
        Self {
            list,
            found: Vec::new(),
        }
    }

    /// A difference that is not of single votes.
    pub(crate) fn add(&mut self, route: Option<Route>, store: Store, kind: Kind, sentence: String) {
        self.found.push(Difference {
            route: route.map(Route::as_str),
            store,
            kind,
            vote_id: None,
            sentence,
        });
    }

    /// The same difference, `what`, of each of these votes.
    pub(crate) fn votes(&mut self, route: Route, store: Store, kind: Kind, mut votes: Vec<Uuid>, what: &str) {
        votes.sort_unstable();
        for id in votes.iter().take(self.list) {
            self.found.push(Difference {
                route: Some(route.as_str()),
                store,
                kind,
                vote_id: Some(*id),
                sentence: format!("{route}: vote {id}: {what}"),
            });
        }
        let more = votes.len().saturating_sub(self.list);
        if more > 0 {
            self.add(
                Some(route),
                store,
                kind,
                format!("{route}: {more} more votes: {what}"),
            );
        }
    }

    /// The same kind of oddity, a sentence each.
    pub(crate) fn odd(&mut self, store: Store, sentences: &[String]) {
        for sentence in sentences.iter().take(self.list) {
            self.add(None, store, Kind::Odd, sentence.clone());
        }
        let more = sentences.len().saturating_sub(self.list);
        if more > 0 {
            self.add(None, store, Kind::Odd, format!("{more} more of the kind"));
        }
    }

    /// What was found, in the order of finding.
    pub(crate) fn into_inner(self) -> Vec<Difference> {
        self.found
    }
}
