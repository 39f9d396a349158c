//! The books: per route, what was sent against what each store holds, by count and by vote id.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;
use vote::Route;

use super::ledger::{Ledger, quantile};
use super::stores::{Held, Ids};

/// One route's books.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RouteBooks {
    /// Votes that this route answered, well or not.
    pub sent: usize,
    /// Votes with a receipt.
    pub acknowledged: usize,
    /// Distinct ids in Kafka.
    pub kafka: usize,
    /// The tally in Redis.
    pub redis: u64,
    /// Documents in MongoDB.
    pub mongo: usize,
    /// Milliseconds within which half of the acknowledged votes were answered; null without votes.
    pub p50_ms: Option<f64>,
    /// 95 of 100.
    pub p95_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
}

/// All routes' books and every difference found in them.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub routes: BTreeMap<&'static str, RouteBooks>,
    pub differences: Vec<String>,
}

/// Compares the ledger with the stores. `expected` are the routes that must have got votes.
pub(super) fn reconcile(ledger: &Ledger, held: &Held, expected: &[Route]) -> Books {
    let mut differences = Vec::new();
    let unanswered = ledger
        .entries
        .iter()
        .filter(|entry| entry.route.is_none())
        .count();
    if unanswered > 0 {
        differences.push(format!("{unanswered} votes were sent and no route answered"));
    }
    let mut routes = BTreeMap::new();
    for route in Route::ALL {
        let books = route_books(ledger, held, route);
        if books.sent == 0 && expected.contains(&route) {
            differences.push(format!("{route}: got no vote"));
        }
        if books.sent != books.acknowledged {
            differences.push(format!(
                "{route}: {} sent, {} acknowledged",
                books.sent, books.acknowledged
            ));
        }
        if books.redis != books.acknowledged as u64 {
            differences.push(format!(
                "{route}: {} acknowledged, {} in Redis",
                books.acknowledged, books.redis
            ));
        }
        differences.extend(compare_ids(ledger, held, route));
        routes.insert(route.as_str(), books);
    }
    differences.extend(held.oddities.iter().cloned());
    Books { routes, differences }
}

fn route_books(ledger: &Ledger, held: &Held, route: Route) -> RouteBooks {
    let latencies = ledger.latencies_ms(route);
    RouteBooks {
        sent: ledger.of(route).count(),
        acknowledged: latencies.len(),
        kafka: held.kafka.get(&route).map_or(0, BTreeSet::len),
        redis: held.redis.get(&route).copied().unwrap_or(0),
        mongo: held.mongo.get(&route).map_or(0, BTreeSet::len),
        p50_ms: quantile(&latencies, 0.50),
        p95_ms: quantile(&latencies, 0.95),
        p99_ms: quantile(&latencies, 0.99),
    }
}

/// Equal counts could hide one vote lost and another one doubled.
fn compare_ids(ledger: &Ledger, held: &Held, route: Route) -> Vec<String> {
    let mut acknowledged = BTreeSet::new();
    let mut differences = Vec::new();
    for entry in ledger.of(route).filter(|entry| entry.ok) {
        match entry.vote_id {
            Some(id) if acknowledged.insert(id) => {}
            Some(id) => differences.push(format!("{route}: vote {id} was acknowledged twice")),
            None => differences.push(format!("{route}: a vote was acknowledged without an id")),
        }
    }
    for (store, ids) in [("Kafka", &held.kafka), ("MongoDB", &held.mongo)] {
        differences.extend(compare_sets(&acknowledged, ids, route, store));
    }
    differences
}

fn compare_sets(acknowledged: &BTreeSet<Uuid>, held: &Ids, route: Route, store: &str) -> Vec<String> {
    let nothing = BTreeSet::new();
    let held = held.get(&route).unwrap_or(&nothing);
    let missing = describe(acknowledged.difference(held), |count, example| {
        format!("{route}: {count} acknowledged votes are not in {store}, such as {example}")
    });
    let surplus = describe(held.difference(acknowledged), |count, example| {
        format!("{route}: {count} votes in {store} were never acknowledged, such as {example}")
    });
    missing.into_iter().chain(surplus).collect()
}

fn describe<'a>(
    mut ids: impl Iterator<Item = &'a Uuid>,
    sentence: impl Fn(usize, &Uuid) -> String,
) -> Option<String> {
    let example = ids.next()?;
    Some(sentence(1 + ids.count(), example))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::ledger::Entry;

    const EXPECTED: [Route; 1] = [Route::Rest];

    fn entry(id: u128, ok: bool) -> Entry {
        let vote_id = ok.then(|| Uuid::from_u128(id));
        Entry {
            vote_id,
            route: Some(Route::Rest),
            path: "split".to_owned(),
            latency_us: 1_500,
            ok,
        }
    }

    fn held(ids: &[u128], redis: u64) -> Held {
        let ids: Ids = BTreeMap::from([(Route::Rest, ids.iter().map(|id| Uuid::from_u128(*id)).collect())]);
        Held {
            kafka: ids.clone(),
            redis: BTreeMap::from([(Route::Rest, redis)]),
            mongo: ids,
            oddities: Vec::new(),
        }
    }

    #[test]
    fn equal_books_have_no_difference() {
        let ledger = Ledger {
            entries: vec![entry(1, true), entry(2, true)],
        };
        let books = reconcile(&ledger, &held(&[1, 2], 2), &EXPECTED);
        assert_eq!(books.differences, Vec::<String>::new());
        assert_eq!(books.routes["rest"].p50_ms, Some(1.5));
        assert_eq!(books.routes["grpc"].p50_ms, None);
    }

    #[test]
    fn equal_counts_of_other_ids_are_a_difference() {
        let ledger = Ledger {
            entries: vec![entry(1, true), entry(2, true)],
        };
        let books = reconcile(&ledger, &held(&[1, 3], 2), &EXPECTED);
        // Missing and surplus, in Kafka and in MongoDB.
        assert_eq!(books.differences.len(), 4, "{:?}", books.differences);
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let unanswered = Entry {
            route: None,
            ..entry(0, false)
        };
        let cases = [
            (
                vec![entry(1, true), entry(2, false)],
                held(&[1], 1),
                "2 sent, 1 acknowledged",
            ),
            (vec![entry(1, true)], held(&[1], 2), "2 in Redis"),
            (
                vec![entry(1, true), unanswered],
                held(&[1], 1),
                "no route answered",
            ),
            (
                vec![entry(1, true), entry(1, true)],
                held(&[1], 2),
                "acknowledged twice",
            ),
            (vec![], held(&[], 0), "got no vote"),
        ];
        for (entries, held, part) in cases {
            let books = reconcile(&Ledger { entries }, &held, &EXPECTED);
            assert!(
                books.differences.iter().any(|text| text.contains(part)),
                "{part}: {:?}",
                books.differences
            );
        }
    }

    #[test]
    fn a_store_with_an_oddity_does_not_reconcile() {
        let mut held = held(&[1], 1);
        held.oddities.push("odd".to_owned());
        assert_eq!(
            reconcile(
                &Ledger {
                    entries: vec![entry(1, true)]
                },
                &held,
                &EXPECTED
            )
            .differences,
            ["odd"]
        );
    }
}
