//! Compares the stores by number and by id. Equal numbers alone could hide one lost vote and one double vote.

use tallies::TallyHash;
use uuid::Uuid;
use vote::Route;

use super::by_route::ByRoute;
use super::comparison_state::{CompareOptions, Comparison, Reconciliation, RouteCounts, StoreContents};
use super::differences::{Differences, Kind, Store};
use super::kafka_votes::KafkaVotes;

/// Compares the stores, and the ledger if there is one.
pub(crate) fn compare(contents: &StoreContents, options: CompareOptions) -> Reconciliation {
    let (kafka, mongodb) = (contents.kafka.counts(), contents.mongodb.counts());
    let mut routes = ByRoute::<RouteCounts>::default();
    for route in Route::ALL {
        routes[route].kafka = kafka.of_route(route);
        routes[route].redis = contents.snapshot.counts.of_route(route);
        routes[route].mongo = mongodb.of_route(route);
    }
    let reference = if contents.kafka.incomplete.is_none() {
        (Store::Kafka, kafka)
    } else {
        (Store::Mongodb, mongodb)
    };
    let mut comparison = Comparison {
        contents,
        reference,
        differences: Differences::new(options.max_listed),
        notes: Vec::new(),
        routes,
        missing_in_kafka: ByRoute::default(),
        missing_in_mongodb: ByRoute::default(),
    };
    comparison.add_notes();
    comparison.compare_redis();
    comparison.compare_top_sets();
    comparison.find_doubles_and_dead_letters();
    comparison.compare_mongodb();
    if let Some(ledger) = &contents.ledger {
        comparison.compare_receipts(ledger);
        comparison.compare_unacknowledged(ledger, options.tolerate_failed);
    }
    comparison.finish()
}

impl Comparison<'_> {
    fn add_notes(&mut self) {
        let KafkaVotes {
            incomplete,
            repeats,
            undecodable,
            ..
        } = &self.contents.kafka;
        if let Some(reason) = incomplete {
            let scope = "this command compares the records that remain there, and Redis with MongoDB";
            self.notes.push(format!("{reason}; {scope}"));
        }
        if *repeats > 0 {
            self.notes.push(format!(
                "{repeats} further copies in Kafka of votes that were sent again with the same id; each vote counts once"
            ));
        }
        if *undecodable > 0 {
            self.notes.push(format!(
                "{undecodable} records in Kafka cannot be decoded; they are in the dead-letter topic and are not votes"
            ));
        }
        if self.contents.uncounted > 0 {
            self.notes.push(format!(
                "{} records in Kafka are not counted yet; check that a consumer runs, and what its /readyz reports",
                self.contents.uncounted
            ));
        }
    }

    /// Compares the counts in Redis with those of the reference. Redis holds no ids.
    fn compare_redis(&mut self) {
        let (store, expected) = &self.reference;
        let name = store.name();
        let actual = &self.contents.snapshot.counts;
        let correction = expected.minus(actual);
        if correction.total != 0 {
            let sentence = format!("total: {} in Redis, {} in {name}", actual.total, expected.total);
            self.differences.add(None, Store::Redis, Kind::Count, sentence);
        }
        for ((hash, corrections), (_, counts)) in correction.iter().zip(actual.iter()) {
            let key = hash.key();
            for (field, correction) in corrections {
                let route = if hash == TallyHash::Route {
                    field.parse().ok()
                } else {
                    None
                };
                let kind = match route {
                    Some(_) if *correction > 0 => Kind::Missing,
                    Some(_) => Kind::Double,
                    None => Kind::Count,
                };
                let actual = counts.get(field).copied().unwrap_or_default();
                let expected = actual + correction;
                let sentence = format!("{key} {field}: {actual} in Redis, {expected} in {name}");
                self.differences.add(route, Store::Redis, kind, sentence);
            }
        }
    }

    /// Compares the top sets in Redis with the hashes that they follow.
    fn compare_top_sets(&mut self) {
        let snapshot = &self.contents.snapshot;
        let found = snapshot.top_set_differences();
        if found.is_empty() {
            return;
        }
        self.differences.add_sentences(Store::Redis, Kind::Count, &found);
        self.notes.push(if snapshot.top_sets.is_complete {
            "`consumer rebuild` builds the sorted sets of the highest counts again".to_owned()
        } else {
            "the sorted sets of the highest counts are not complete: a running consumer builds them within seconds, and so \
             does `consumer rebuild`"
                .to_owned()
        });
    }

    /// Finds votes that are in Kafka more than once, and dead-letter records that can be decoded now.
    fn find_doubles_and_dead_letters(&mut self) {
        let kafka = &self.contents.kafka;
        let mut doubles = ByRoute::<Vec<Uuid>>::default();
        for (id, copies) in &kafka.votes {
            let further = copies.doubles();
            if further > 0 {
                let route = copies.key.route;
                doubles[route].push(*id);
                self.routes[route].double += u64::from(further);
            }
        }
        let mut dead_letters = ByRoute::<Vec<Uuid>>::default();
        for (id, route) in &kafka.decodable_dead_letters {
            if !kafka.votes.contains_key(id) && !kafka.pending.contains(id) {
                dead_letters[*route].push(*id);
                self.routes[*route].lost += 1;
            }
        }
        for route in Route::ALL {
            let what = "more than once in Kafka, with an id that no client chose";
            let votes = std::mem::take(&mut doubles[route]);
            self.differences
                .add_votes(route, Store::Kafka, Kind::Double, votes, what);
            let what = "a dead-letter record that can be decoded now: run `consumer replay-dead-letters` to count it";
            let votes = std::mem::take(&mut dead_letters[route]);
            self.differences
                .add_votes(route, Store::Redis, Kind::Missing, votes, what);
        }
        self.differences
            .add_sentences(Store::Kafka, Kind::Invalid, &kafka.invalid);
    }

    /// Compares Kafka with MongoDB, by id.
    fn compare_mongodb(&mut self) {
        let (kafka, mongodb) = (&self.contents.kafka, &self.contents.mongodb);
        for (id, copies) in &kafka.votes {
            if !mongodb.votes.contains_key(id) {
                self.missing_in_mongodb[copies.key.route].insert(*id);
            }
        }
        let mut changed = ByRoute::<Vec<Uuid>>::default();
        // An incomplete Kafka lacks votes, and may lack the first copy of other votes.
        if kafka.incomplete.is_none() {
            for (id, key) in &mongodb.votes {
                let Some(copies) = kafka.votes.get(id) else {
                    self.missing_in_kafka[key.route].insert(*id);
                    continue;
                };
                let counted = copies.key;
                let is_same =
                    counted.route == key.route && kafka.albums.names(counted) == mongodb.albums.names(*key);
                if !is_same {
                    changed[key.route].push(*id);
                }
            }
        }
        for route in Route::ALL {
            let missing = self.missing_in_mongodb[route].iter().copied().collect();
            let what = "in Kafka, but not in MongoDB";
            self.differences
                .add_votes(route, Store::Mongodb, Kind::Missing, missing, what);
            let missing = self.missing_in_kafka[route].iter().copied().collect();
            let what = "in MongoDB, but not in Kafka";
            self.differences
                .add_votes(route, Store::Kafka, Kind::Missing, missing, what);
            let what = "the vote in MongoDB differs from the one in Kafka";
            let changed = std::mem::take(&mut changed[route]);
            self.differences
                .add_votes(route, Store::Mongodb, Kind::Invalid, changed, what);
        }
        self.differences
            .add_sentences(Store::Mongodb, Kind::Invalid, &mongodb.invalid);
    }

    fn finish(mut self) -> Reconciliation {
        for route in Route::ALL {
            // Redis holds no ids. A vote that Redis lacks may be one that MongoDB lacks too, and a vote that Redis counted
            // twice may be one that Kafka holds twice: do not add them up.
            let surplus = self.routes[route].redis - self.reference.1.of_route(route);
            let counts = &mut self.routes[route];
            let deficit = (-surplus).max(0).unsigned_abs();
            counts.lost += self.missing_in_kafka[route].len() as u64;
            counts.lost += deficit.max(self.missing_in_mongodb[route].len() as u64);
            counts.double = counts.double.max(surplus.max(0).unsigned_abs());
        }
        Reconciliation {
            routes: self.routes,
            differences: self.differences.into_inner(),
            notes: self.notes,
            uncounted: self.contents.uncounted,
        }
    }
}
