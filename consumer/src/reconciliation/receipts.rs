//! Compares the stores with the senders' ledger: every receipt must have a vote, and every vote must have a receipt.

use uuid::Uuid;
use vote::Route;

use super::by_route::ByRoute;
use super::comparison_state::{Comparison, StoreContents};
use super::differences::{Kind, Store};
use super::ledger::Ledger;

impl Comparison<'_> {
    /// Compares each receipt with the stores, by id.
    pub(super) fn compare_receipts(&mut self, ledger: &Ledger) {
        let kafka = &self.contents.kafka;
        let mut missing = ByRoute::<Vec<Uuid>>::default();
        let mut only_by_another_route = ByRoute::<Vec<Uuid>>::default();
        let mut doubles = ByRoute::<Vec<Uuid>>::default();
        let mut counted_for_another_route = 0_u64;
        for (id, receipts) in &ledger.receipts {
            let copies = kafka.votes.get(id);
            let total: u32 = receipts.iter().map(|(_, count)| count).sum();
            let is_double = total > 1 && copies.is_some_and(|copies| !copies.has_id_from_client);
            for (route, _) in receipts.iter().filter(|(_, count)| **count > 0) {
                if is_double {
                    doubles[route].push(*id);
                }
                match copies {
                    Some(copies) if copies.key.route == route => {}
                    Some(copies) if copies.routes[route] => counted_for_another_route += 1,
                    Some(_) if kafka.incomplete.is_none() => only_by_another_route[route].push(*id),
                    Some(_) => {}
                    None if self.is_accounted_for(id) => {}
                    None => missing[route].push(*id),
                }
            }
        }
        if counted_for_another_route > 0 {
            self.notes.push(format!(
                "{counted_for_another_route} votes were acknowledged by one route and count for another route, whose copy \
                 came first"
            ));
        }
        let (store, _) = self.reference;
        for route in Route::ALL {
            self.missing_in_kafka[route].extend(&missing[route]);
            let what = format!("acknowledged, but not in {}", store.name());
            let missing = std::mem::take(&mut missing[route]);
            self.differences
                .add_votes(route, store, Kind::Missing, missing, &what);
            let what = "acknowledged, but only another route wrote it to Kafka";
            let only_by_another_route = std::mem::take(&mut only_by_another_route[route]);
            self.differences
                .add_votes(route, Store::Kafka, Kind::Invalid, only_by_another_route, what);
            let what = "acknowledged more than once, with an id that no client chose";
            let doubles = std::mem::take(&mut doubles[route]);
            let double = &mut self.routes[route].double;
            *double = (*double).max(doubles.len() as u64);
            self.differences
                .add_votes(route, Store::Ledger, Kind::Double, doubles, what);
        }
        self.differences
            .add_sentences(Store::Ledger, Kind::Invalid, &ledger.invalid);
    }

    /// Whether a vote that is not in Kafka below the applied offsets has another explanation: it is only in MongoDB, not
    /// counted yet, or in the dead-letter topic.
    fn is_accounted_for(&self, id: &Uuid) -> bool {
        let kafka = &self.contents.kafka;
        let is_only_in_mongodb = kafka.incomplete.is_some() && self.contents.mongodb.votes.contains_key(id);
        is_only_in_mongodb || kafka.pending.contains(id) || kafka.decodable_dead_letters.contains_key(id)
    }

    /// Finds votes that arrived without a receipt, and votes that were sent and got no receipt.
    pub(super) fn compare_unacknowledged(&mut self, ledger: &Ledger, tolerate_failed: bool) {
        let mut in_doubt = ByRoute::<Vec<Uuid>>::default();
        let (store, counted) = self.counted();
        for (id, route) in counted {
            if !ledger.receipts.contains_key(&id) {
                in_doubt[route].push(id);
            }
        }
        let arrived = || in_doubt.iter().flat_map(|(_, votes)| votes);
        let not_failed = arrived().filter(|id| !ledger.failed.contains(id)).count();
        // A sender that received no response does not know the id, so these votes can only be compared by number.
        let is_tolerated = tolerate_failed && not_failed as u64 <= ledger.failed_without_id;
        let failed = ledger.failed.len() as u64 + ledger.failed_without_id;
        if tolerate_failed && failed > 0 {
            let arrived = arrived().count();
            self.notes.push(format!(
                "{failed} votes failed; {arrived} of the votes without a receipt arrived"
            ));
        }
        for route in Route::ALL {
            let (sent, acknowledged) = (ledger.sent[route], ledger.acknowledged[route]);
            let counts = &mut self.routes[route];
            (counts.sent, counts.acknowledged) = (Some(sent), Some(acknowledged));
            counts.in_doubt = in_doubt[route].len() as u64;
            if !tolerate_failed && sent != acknowledged {
                let sentence = format!("{route}: {sent} sent, {acknowledged} acknowledged");
                self.differences
                    .add(Some(route), Store::Ledger, Kind::Count, sentence);
            }
            if !is_tolerated {
                let what = format!("in {}, but without a receipt", store.name());
                let votes = std::mem::take(&mut in_doubt[route]);
                self.differences
                    .add_votes(route, store, Kind::Unacknowledged, votes, &what);
            }
        }
        if !tolerate_failed && ledger.unanswered > 0 {
            let sentence = format!("{} votes were sent and got no response", ledger.unanswered);
            self.differences.add(None, Store::Ledger, Kind::Count, sentence);
        }
    }

    /// The reference store, and every vote in it.
    fn counted(&self) -> (Store, Vec<(Uuid, Route)>) {
        let StoreContents { kafka, mongodb, .. } = self.contents;
        if kafka.incomplete.is_none() {
            let votes = kafka.votes.iter();
            (
                Store::Kafka,
                votes.map(|(id, copies)| (*id, copies.key.route)).collect(),
            )
        } else {
            let votes = mongodb.votes.iter();
            (Store::Mongodb, votes.map(|(id, key)| (*id, key.route)).collect())
        }
    }
}
