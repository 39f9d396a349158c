//! Compares the books: by number, and by id, for equal numbers could hide one vote lost and another one doubled.

use std::collections::HashSet;

use serde::Serialize;
use uuid::Uuid;
use vote::Route;

use super::by_route::ByRoute;
use super::difference::{Difference, Findings, Kind, Store};
use super::kafka::KafkaBook;
use super::ledger::Ledger;
use super::mongodb::MongodbBook;
use super::redis::Snapshot;
use super::tallies::Tallies;

/// Everything that was read.
#[derive(Debug)]
pub(crate) struct Books {
    /// Redis.
    pub(crate) snapshot: Snapshot,
    /// Kafka.
    pub(crate) kafka: KafkaBook,
    /// MongoDB.
    pub(crate) mongodb: MongodbBook,
    /// Those who sent votes, if they wrote down what.
    pub(crate) ledger: Option<Ledger>,
    /// Offsets that the topic held in the beginning and that are still not counted.
    pub(crate) behind: i64,
}

/// How to compare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Votes without a receipt are no difference, as long as no more of them arrived than failed.
    pub(crate) tolerate_failed: bool,
    /// Most votes to list of each difference.
    pub(crate) list: usize,
}

/// One route's books. Without a ledger nobody knows what was sent, and nothing is in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RouteBooks {
    /// Votes that this route answered, well or not.
    pub(crate) sent: Option<u64>,
    /// Votes with a receipt.
    pub(crate) acknowledged: Option<u64>,
    /// Distinct ids in Kafka.
    pub(crate) kafka: i64,
    /// The tally in Redis.
    pub(crate) redis: i64,
    /// Documents in MongoDB.
    pub(crate) mongo: i64,
    /// Votes that are there, and whose sender has no receipt.
    pub(crate) in_doubt: u64,
    /// Votes that some store lacks.
    pub(crate) lost: u64,
    /// Votes that are counted more than once.
    pub(crate) double: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Compared {
    /// Per route.
    pub(crate) routes: ByRoute<RouteBooks>,
    /// What does not agree.
    pub(crate) differences: Vec<Difference>,
    /// What a reader should know beyond that.
    pub(crate) notes: Vec<String>,
    /// As in [`Books`].
    pub(crate) behind: i64,
}

/// What was found so far.
pub(super) struct Comparison<'a> {
    pub(super) books: &'a Books,
    /// Kafka, or MongoDB where Kafka does not hold all.
    pub(super) truth: (Store, Tallies),
    pub(super) findings: Findings,
    pub(super) notes: Vec<String>,
    pub(super) routes: ByRoute<RouteBooks>,
    pub(super) missing_in_kafka: ByRoute<HashSet<Uuid>>,
    pub(super) missing_in_log: ByRoute<HashSet<Uuid>>,
}

/// Compares everything that can be compared.
pub(crate) fn compare(books: &Books, rules: Rules) -> Compared {
    let (kafka, mongo) = (books.kafka.tallies(), books.mongodb.tallies());
    let mut routes = ByRoute::<RouteBooks>::default();
    for route in Route::ALL {
        routes[route].kafka = kafka.of_route(route);
        routes[route].redis = books.snapshot.tallies.of_route(route);
        routes[route].mongo = mongo.of_route(route);
    }
    let truth = if books.kafka.gone.is_none() {
        (Store::Kafka, kafka)
    } else {
        (Store::Mongodb, mongo)
    };
    let mut comparison = Comparison {
        books,
        truth,
        findings: Findings::new(rules.list),
        notes: Vec::new(),
        routes,
        missing_in_kafka: ByRoute::default(),
        missing_in_log: ByRoute::default(),
    };
    comparison.note();
    comparison.counts();
    comparison.copies();
    comparison.log();
    if let Some(ledger) = &books.ledger {
        comparison.receipts(ledger);
        comparison.doubt(ledger, rules.tolerate_failed);
    }
    comparison.sum_up()
}

impl Comparison<'_> {
    fn note(&mut self) {
        let KafkaBook {
            gone,
            repeats,
            unreadable,
            ..
        } = &self.books.kafka;
        if let Some(reason) = gone {
            let rest = "compared is what is left there, and Redis with MongoDB";
            self.notes.push(format!("{reason}; {rest}"));
        }
        if *repeats > 0 {
            self.notes.push(format!(
                "further copies in Kafka of votes that were sent again under their id: {repeats}; each vote counts once"
            ));
        }
        if *unreadable > 0 {
            self.notes.push(format!(
                "records in Kafka that cannot be read: {unreadable}; they are dead letters, not votes"
            ));
        }
        if self.books.behind > 0 {
            self.notes.push(format!(
                "records in Kafka that are not counted yet: {}; is a consumer running, and what does its /readyz say?",
                self.books.behind
            ));
        }
    }

    /// Redis knows no ids: its counts against those of the truth.
    fn counts(&mut self) {
        let (store, truth) = &self.truth;
        let name = name(*store);
        let held = &self.books.snapshot.tallies;
        let correction = truth.minus(held);
        if correction.total != 0 {
            let sentence = format!("total: {} in Redis, {} in {name}", held.total, truth.total);
            self.findings.add(None, Store::Redis, Kind::Count, sentence);
        }
        for ((key, corrections), (_, counts)) in correction.hashes().into_iter().zip(held.hashes()) {
            for (field, correction) in corrections {
                let route = if key == tallies::keys::ROUTE {
                    field.parse().ok()
                } else {
                    None
                };
                let kind = match route {
                    Some(_) if *correction > 0 => Kind::Missing,
                    Some(_) => Kind::Double,
                    None => Kind::Count,
                };
                let held = counts.get(field).copied().unwrap_or_default();
                let wanted = held + correction;
                let sentence = format!("{key} {field}: {held} in Redis, {wanted} in {name}");
                self.findings.add(route, Store::Redis, kind, sentence);
            }
        }
    }

    /// Kafka by itself.
    fn copies(&mut self) {
        let book = &self.books.kafka;
        let mut doubles = ByRoute::<Vec<Uuid>>::default();
        for (id, copies) in &book.votes {
            let further = copies.doubles();
            if further > 0 {
                let route = copies.ballot.route;
                doubles[route].push(*id);
                self.routes[route].double += u64::from(further);
            }
        }
        let mut buried = ByRoute::<Vec<Uuid>>::default();
        for (id, route) in &book.buried {
            if !book.votes.contains_key(id) && !book.pending.contains(id) {
                buried[*route].push(*id);
                self.routes[*route].lost += 1;
            }
        }
        for route in Route::ALL {
            let what = "more than once in Kafka, under an id that no client chose";
            let votes = std::mem::take(&mut doubles[route]);
            self.findings
                .votes(route, Store::Kafka, Kind::Double, votes, what);
            let what = "a dead letter that can be read now: `consumer replay-dead-letters` has it counted";
            let votes = std::mem::take(&mut buried[route]);
            self.findings
                .votes(route, Store::Redis, Kind::Missing, votes, what);
        }
        self.findings.odd(Store::Kafka, &book.odd);
    }

    /// Kafka against MongoDB, by id.
    fn log(&mut self) {
        let (kafka, mongodb) = (&self.books.kafka, &self.books.mongodb);
        for (id, copies) in &kafka.votes {
            if !mongodb.votes.contains_key(id) {
                self.missing_in_log[copies.ballot.route].insert(*id);
            }
        }
        let mut changed = ByRoute::<Vec<Uuid>>::default();
        // Otherwise Kafka lacks votes, and of others the first copy.
        if kafka.gone.is_none() {
            for (id, ballot) in &mongodb.votes {
                let Some(copies) = kafka.votes.get(id) else {
                    self.missing_in_kafka[ballot.route].insert(*id);
                    continue;
                };
                let counted = copies.ballot;
                let is_same = counted.route == ballot.route
                    && kafka.albums.names(counted) == mongodb.albums.names(*ballot);
                if !is_same {
                    changed[ballot.route].push(*id);
                }
            }
        }
        for route in Route::ALL {
            let missing = self.missing_in_log[route].iter().copied().collect();
            let what = "in Kafka, but not in MongoDB";
            self.findings
                .votes(route, Store::Mongodb, Kind::Missing, missing, what);
            let missing = self.missing_in_kafka[route].iter().copied().collect();
            let what = "in MongoDB, but not in Kafka";
            self.findings
                .votes(route, Store::Kafka, Kind::Missing, missing, what);
            let what = "another vote in MongoDB than in Kafka";
            let changed = std::mem::take(&mut changed[route]);
            self.findings
                .votes(route, Store::Mongodb, Kind::Odd, changed, what);
        }
        self.findings.odd(Store::Mongodb, &mongodb.odd);
    }

    fn sum_up(mut self) -> Compared {
        for route in Route::ALL {
            // Redis names no ids: what it lacks may be what MongoDB lacks, and what it has twice what Kafka has twice.
            let surplus = self.routes[route].redis - self.truth.1.of_route(route);
            let books = &mut self.routes[route];
            let short = (-surplus).max(0).unsigned_abs();
            books.lost += self.missing_in_kafka[route].len() as u64;
            books.lost += short.max(self.missing_in_log[route].len() as u64);
            books.double = books.double.max(surplus.max(0).unsigned_abs());
        }
        Compared {
            routes: self.routes,
            differences: self.findings.into_inner(),
            notes: self.notes,
            behind: self.books.behind,
        }
    }
}

pub(super) const fn name(store: Store) -> &'static str {
    match store {
        Store::Kafka => "Kafka",
        Store::Redis => "Redis",
        Store::Mongodb => "MongoDB",
        Store::Ledger => "the ledger",
    }
}
