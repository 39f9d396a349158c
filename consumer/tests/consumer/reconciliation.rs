//! `consumer reconcile`: every kind of difference is found, and nothing else.

use lab::servers::Server;
use mongodb::bson::doc;
use redis::AsyncCommands;
use uuid::Uuid;
use vote::VoteEvent;

use crate::bed::Bed;
use crate::tools::{Ledger, Reconciled, reconcile, run};
use crate::votes::{event, expected, mixed, raw_record, send};

/// Votes in a bed, counted, with a consumer that goes on.
async fn counted(bed: &Bed, seed: u64) -> Vec<VoteEvent> {
    let events = mixed(&mut fastrand::Rng::with_seed(seed), 2_000);
    send(&bed.writer, &events).await;
    bed.writer.write(&raw_record(b"poison", b"\xff")).await.unwrap();
    bed.counted(expected(&events).total).await;
    events
}

fn found(reconciled: &Reconciled, expected: &[(&str, &str, &str, &str)]) {
    assert_eq!(reconciled.code, 1);
    assert_eq!(reconciled.json["reconciled"], false);
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(route, store, kind, id)| {
            let owned = |text: &&str| (*text).to_owned();
            (owned(route), owned(store), owned(kind), owned(id))
        })
        .collect();
    expected.sort();
    assert_eq!(reconciled.differences(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_agree_are_equal_with_and_without_a_ledger() {
    let bed = Bed::new("books_equal").await;
    let consumer = bed.consumer(&[]);
    let events = counted(&bed, 30).await;
    let ledger = Ledger::of(&events);
    let total = expected(&events).total;

    let reconciled = reconcile(&bed, &[]);
    assert!(reconciled.is_equal());
    for column in ["kafka", "redis", "mongo"] {
        assert_eq!(reconciled.sum(column), total, "{column}");
    }
    assert!(reconciled.json["routes"]["rest"]["sent"].is_null());

    let reconciled = reconcile(&bed, &["--ledger", ledger.path()]);
    assert!(reconciled.is_equal());
    assert_eq!(reconciled.sum("sent"), events.len() as u64);
    assert_eq!(reconciled.sum("acknowledged"), events.len() as u64);
    for column in ["in_doubt", "lost", "double"] {
        assert_eq!(reconciled.sum(column), 0, "{column}");
    }

    let text = run(&bed, "reconcile", &["--ledger", ledger.path()]).stdout;
    assert!(
        text.contains("ACKNOWLEDGED") && text.contains("\nreconciled"),
        "{text}"
    );
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_in_a_store_is_found() {
    let bed = Bed::new("books_stores").await;
    let consumer = bed.consumer(&[]);
    let events = counted(&bed, 31).await;
    let victim = &events[7];
    let (id, route, band) = (
        victim.vote_id.to_string(),
        victim.route.as_str(),
        victim.vote.name.as_str(),
    );
    let mut redis = bed.redis.clone();

    let document = bed
        .log
        .find_one_and_delete(doc! { "_id": &id })
        .await
        .unwrap()
        .unwrap();
    let lost = reconcile(&bed, &[]);
    found(&lost, &[(route, "mongodb", "missing", &id)]);
    assert_eq!((lost.sum("lost"), lost.sum("double")), (1, 0));
    let mut changed = document.clone();
    changed.name = "Nobody".to_owned();
    bed.log.insert_one(&changed).await.unwrap();
    found(&reconcile(&bed, &[]), &[(route, "mongodb", "odd", &id)]);
    bed.log.delete_one(doc! { "_id": &id }).await.unwrap();
    let mut unknown = document.clone();
    unknown.vote_id = Uuid::from_u128(1).to_string();
    bed.log.insert_many([&document, &unknown]).await.unwrap();
    found(
        &reconcile(&bed, &[]),
        &[(route, "kafka", "missing", &unknown.vote_id)],
    );
    bed.log
        .delete_one(doc! { "_id": &unknown.vote_id })
        .await
        .unwrap();

    for (key, field, difference) in [
        ("{votes}:route", route, (route, "redis", "double", "")),
        ("{votes}:band", band, ("", "redis", "count", "")),
        ("{votes}:album", "Nobody - Nothing", ("", "redis", "count", "")),
        ("{votes}:route", "pigeon", ("", "redis", "count", "")),
    ] {
        let _: i64 = redis.hincr(key, field, 1).await.unwrap();
        found(&reconcile(&bed, &[]), &[difference]);
        let left: i64 = redis.hincr(key, field, -1).await.unwrap();
        if left == 0 {
            let _: () = redis.hdel(key, field).await.unwrap();
        }
    }
    let _: i64 = redis.hincr("{votes}:route", route, -2).await.unwrap();
    let lost = reconcile(&bed, &[]);
    found(&lost, &[(route, "redis", "missing", "")]);
    assert_eq!(lost.sum("lost"), 2);
    let _: i64 = redis.hincr("{votes}:route", route, 2).await.unwrap();
    let _: i64 = redis.incr("{votes}:total", 1).await.unwrap();
    found(&reconcile(&bed, &[]), &[("", "redis", "count", "")]);
    let _: i64 = redis.decr("{votes}:total", 1).await.unwrap();

    assert!(reconcile(&bed, &[]).is_equal(), "every plant is undone");
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_from_the_ledger_is_found() {
    let bed = Bed::new("books_ledger").await;
    let consumer = bed.consumer(&[]);
    let events = counted(&bed, 32).await;
    let nobody = Uuid::from_u128(7).to_string();

    let ledger = Ledger::of(&events);
    ledger.add(Some(&nobody), Some("grpc"), true);
    let lost = reconcile(&bed, &["--ledger", ledger.path()]);
    found(&lost, &[("grpc", "kafka", "missing", &nobody)]);
    assert_eq!(lost.sum("lost"), 1);

    let own = events.iter().position(|event| !event.client_id).unwrap();
    let (id, route) = (events[own].vote_id.to_string(), events[own].route.as_str());
    let ledger = Ledger::of(&events);
    ledger.add(Some(&id), Some(route), true);
    let double = reconcile(&bed, &["--ledger", ledger.path()]);
    found(&double, &[(route, "ledger", "double", &id)]);
    assert_eq!(double.sum("double"), 1);

    let mut others = events.clone();
    others.remove(own);
    let ledger = Ledger::of(&others);
    let unacknowledged = (route, "kafka", "unacknowledged", id.as_str());
    let options = ["--ledger", ledger.path(), "--tolerate-failed"];
    found(&reconcile(&bed, &options[..2]), &[unacknowledged]);
    found(&reconcile(&bed, &options), &[unacknowledged]);
    ledger.add(None, None, false);
    let unanswered = ("", "ledger", "count", "");
    found(&reconcile(&bed, &options[..2]), &[unacknowledged, unanswered]);
    let tolerated = reconcile(&bed, &options);
    assert!(tolerated.is_equal());
    assert_eq!(tolerated.sum("in_doubt"), 1);

    // A failed line that names another vote explains nothing about this one.
    let ledger = Ledger::of(&others);
    let options = ["--ledger", ledger.path(), "--tolerate-failed"];
    ledger.add(Some(&nobody), Some(route), false);
    found(&reconcile(&bed, &options), &[unacknowledged]);
    ledger.add(Some(&id), Some(route), false);
    assert!(reconcile(&bed, &options).is_equal());
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_our_own_twice_in_kafka_is_a_double_and_a_clients_is_not() {
    let bed = Bed::new("books_double").await;
    let consumer = bed.consumer(&[]);
    let events = counted(&bed, 33).await;
    let client = events.iter().find(|event| event.client_id).unwrap();
    send(&bed.writer, std::slice::from_ref(client)).await;
    assert!(reconcile(&bed, &[]).is_equal());

    let own = events.iter().find(|event| !event.client_id).unwrap();
    send(&bed.writer, std::slice::from_ref(own)).await;
    let double = reconcile(&bed, &["--list", "1"]);
    assert_eq!(double.code, 1);
    let (id, route) = (own.vote_id.to_string(), own.route.as_str());
    let own_twice = (route, "kafka", "double", id.as_str());
    let counted_twice = (route, "redis", "double", "");
    let count = ("", "redis", "count", "");
    // Total, band and album.
    found(&double, &[own_twice, counted_twice, count, count, count]);
    assert_eq!((double.sum("lost"), double.sum("double")), (0, 1));

    // What the tally has too much, a rebuild takes away; what Kafka has twice stays.
    assert_eq!(run(&bed, "rebuild", &["--from", "kafka"]).code, 0);
    found(&reconcile(&bed, &[]), &[own_twice]);
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_counted_or_not_there_is_no_verdict() {
    let bed = Bed::new("books_unknown").await;
    let consumer = bed.consumer(&[]);
    let mut events = counted(&bed, 34).await;
    assert!(consumer.terminate().await.success());
    events.push(event(&mut fastrand::Rng::with_seed(35), None));
    send(&bed.writer, &events[events.len() - 1..]).await;
    let ledger = Ledger::of(&events);

    let behind = reconcile(&bed, &["--ledger", ledger.path(), "--wait-s", "1"]);
    assert_eq!((behind.code, &behind.json["reconciled"]), (2, &false.into()));
    assert!(behind.differences().is_empty());

    let consumer = bed.consumer(&[]);
    assert!(reconcile(&bed, &["--ledger", ledger.path()]).is_equal());
    bed.stack.kill(Server::Redis).await.unwrap();
    let away = run(&bed, "reconcile", &[]);
    bed.stack.start_server(Server::Redis).await.unwrap();
    assert_eq!(away.code, 2);
    assert!(
        away.stderr.contains("cannot tell: connecting to Redis"),
        "{away:?}"
    );
    assert!(consumer.terminate().await.success());
}
