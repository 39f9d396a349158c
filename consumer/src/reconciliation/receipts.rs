//! Compares the stores with what their senders know: every receipt must be a vote, and every vote must have one.

use uuid::Uuid;
use vote::Route;

use super::by_route::ByRoute;
use super::compare::{Books, Comparison, name};
use super::difference::{Kind, Store};
use super::ledger::Ledger;

impl Comparison<'_> {
    /// Each receipt against the stores, by id.
    pub(super) fn receipts(&mut self, ledger: &Ledger) {
        let kafka = &self.books.kafka;
        let mut missing = ByRoute::<Vec<Uuid>>::default();
        let mut elsewhere = ByRoute::<Vec<Uuid>>::default();
        let mut doubles = ByRoute::<Vec<Uuid>>::default();
        let mut by_another_route = 0_u64;
        for (id, receipts) in &ledger.receipts {
            let copies = kafka.votes.get(id);
            let all: u32 = receipts.iter().map(|(_, count)| count).sum();
            let is_double = all > 1 && copies.is_some_and(|copies| !copies.by_client);
            for (route, _) in receipts.iter().filter(|(_, count)| **count > 0) {
                if is_double {
                    doubles[route].push(*id);
                }
                match copies {
                    Some(copies) if copies.ballot.route == route => {}
                    Some(copies) if copies.routes[route] => by_another_route += 1,
                    Some(_) if kafka.gone.is_none() => elsewhere[route].push(*id),
                    Some(_) => {}
                    None if self.is_known(id) => {}
                    None => missing[route].push(*id),
                }
            }
        }
        if by_another_route > 0 {
            self.notes.push(format!(
                "votes acknowledged by one route that count for another, whose copy came first: {by_another_route}"
            ));
        }
        let (store, _) = self.truth;
        for route in Route::ALL {
            self.missing_in_kafka[route].extend(&missing[route]);
            let what = format!("acknowledged, but not in {}", name(store));
            let missing = std::mem::take(&mut missing[route]);
            self.findings.votes(route, store, Kind::Missing, missing, &what);
            let what = "acknowledged, but in Kafka only by another route";
            let elsewhere = std::mem::take(&mut elsewhere[route]);
            self.findings
                .votes(route, Store::Kafka, Kind::Odd, elsewhere, what);
            let what = "acknowledged more than once, under an id that no client chose";
            let doubles = std::mem::take(&mut doubles[route]);
            let double = &mut self.routes[route].double;
            *double = (*double).max(doubles.len() as u64);
            self.findings
                .votes(route, Store::Ledger, Kind::Double, doubles, what);
        }
        self.findings.odd(Store::Ledger, &ledger.odd);
    }

    /// Whether a vote that is not counted in Kafka is somewhere all the same.
    fn is_known(&self, id: &Uuid) -> bool {
        let kafka = &self.books.kafka;
        let is_gone = kafka.gone.is_some() && self.books.mongodb.votes.contains_key(id);
        is_gone || kafka.pending.contains(id) || kafka.buried.contains_key(id)
    }

    /// What arrived without a receipt, and what was sent and got none.
    pub(super) fn doubt(&mut self, ledger: &Ledger, tolerate_failed: bool) {
        let mut in_doubt = ByRoute::<Vec<Uuid>>::default();
        let (store, counted) = self.counted();
        for (id, route) in counted {
            if !ledger.receipts.contains_key(&id) {
                in_doubt[route].push(id);
            }
        }
        let arrived = || in_doubt.iter().flat_map(|(_, votes)| votes);
        let unnamed = arrived().filter(|id| !ledger.failed.contains(id)).count();
        // Whose sender never learnt the id can only be told by number.
        let is_tolerated = tolerate_failed && unnamed as u64 <= ledger.failed_without_id;
        let failed = ledger.failed.len() as u64 + ledger.failed_without_id;
        if tolerate_failed && failed > 0 {
            let arrived = arrived().count();
            self.notes.push(format!(
                "votes that failed: {failed}; of those without any receipt, {arrived} arrived"
            ));
        }
        for route in Route::ALL {
            let (sent, acknowledged) = (ledger.sent[route], ledger.acknowledged[route]);
            let books = &mut self.routes[route];
            (books.sent, books.acknowledged) = (Some(sent), Some(acknowledged));
            books.in_doubt = in_doubt[route].len() as u64;
            if !tolerate_failed && sent != acknowledged {
                let sentence = format!("{route}: {sent} sent, {acknowledged} acknowledged");
                self.findings
                    .add(Some(route), Store::Ledger, Kind::Count, sentence);
            }
            if !is_tolerated {
                let what = format!("in {}, but without a receipt", name(store));
                let votes = std::mem::take(&mut in_doubt[route]);
                self.findings
                    .votes(route, store, Kind::Unacknowledged, votes, &what);
            }
        }
        if !tolerate_failed && ledger.unanswered > 0 {
            let sentence = format!("{} votes were sent and no route answered", ledger.unanswered);
            self.findings.add(None, Store::Ledger, Kind::Count, sentence);
        }
    }

    /// Every vote that is counted, and the store that knows.
    fn counted(&self) -> (Store, Vec<(Uuid, Route)>) {
        let Books { kafka, mongodb, .. } = self.books;
        if kafka.gone.is_none() {
            let votes = kafka.votes.iter();
            (
                Store::Kafka,
                votes.map(|(id, copies)| (*id, copies.ballot.route)).collect(),
            )
        } else {
            let votes = mongodb.votes.iter();
            (
                Store::Mongodb,
                votes.map(|(id, ballot)| (*id, ballot.route)).collect(),
            )
        }
    }
}
