//! `consumer reconcile`: finds every kind of difference, and reports no other.

use lab::servers::Server;
use mongodb::bson::{self, doc};
use redis::AsyncCommands;
use uuid::Uuid;
use vote::VoteEvent;
use vote_log::{LogKey, VoteDocument};

use crate::commands::{Ledger, Reconciled, reconcile, run};
use crate::environment::TestEnvironment;
use crate::votes::{event, expected, mixed, raw_record, send};

/// Sends votes and an undecodable record, and waits until the running consumer has counted them. Returns the votes.
async fn send_and_wait(environment: &TestEnvironment, seed: u64) -> Vec<VoteEvent> {
    let events = mixed(&mut fastrand::Rng::with_seed(seed), 2_000);
    send(&environment.writer, &events).await;
    environment
        .writer
        .write(&raw_record(b"poison", b"\xff"))
        .await
        .unwrap();
    environment.wait_until_counted(expected(&events).total).await;
    events
}

fn assert_differences(reconciled: &Reconciled, expected: &[(&str, &str, &str, &str)]) {
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
async fn equal_stores_reconcile_with_and_without_a_ledger() {
    let environment = TestEnvironment::new("reconcile_equal").await;
    let consumer = environment.consumer(&[]);
    let events = send_and_wait(&environment, 30).await;
    let ledger = Ledger::of(&events);
    let total = expected(&events).total;

    let reconciled = reconcile(&environment, &[]);
    assert!(reconciled.is_reconciled());
    for column in ["kafka", "redis", "mongo"] {
        assert_eq!(reconciled.sum(column), total, "{column}");
    }
    assert!(reconciled.json["routes"]["rest"]["sent"].is_null());

    let reconciled = reconcile(&environment, &["--ledger", ledger.path()]);
    assert!(reconciled.is_reconciled());
    assert_eq!(reconciled.sum("sent"), events.len() as u64);
    assert_eq!(reconciled.sum("acknowledged"), events.len() as u64);
    for column in ["in_doubt", "lost", "double"] {
        assert_eq!(reconciled.sum(column), 0, "{column}");
    }

    let text = run(&environment, "reconcile", &["--ledger", ledger.path()]).stdout;
    assert!(
        text.contains("ACKNOWLEDGED") && text.contains("\nreconciled"),
        "{text}"
    );
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn difference_in_each_store_is_found() {
    let environment = TestEnvironment::new("reconcile_stores").await;
    let consumer = environment.consumer(&[]);
    let events = send_and_wait(&environment, 31).await;
    let event = &events[7];
    let received_at = bson::DateTime::from_millis(event.received_at_us / 1_000);
    let key = LogKey::new(received_at, event.vote_id);
    let (id, route, band) = (
        event.vote_id.to_string(),
        event.route.as_str(),
        event.vote.name.as_str(),
    );
    let mut redis = environment.redis.clone();

    let document = environment
        .log
        .find_one_and_delete(doc! { "_id": key })
        .await
        .unwrap()
        .unwrap();
    let lost = reconcile(&environment, &[]);
    assert_differences(&lost, &[(route, "mongodb", "missing", &id)]);
    assert_eq!((lost.sum("lost"), lost.sum("double")), (1, 0));
    let document = VoteDocument::from_raw(&document).unwrap();
    let mut changed = document.clone();
    changed.name = "Changed".into();
    environment.log.insert_one(changed.to_raw()).await.unwrap();
    assert_differences(
        &reconcile(&environment, &[]),
        &[(route, "mongodb", "invalid", &id)],
    );
    environment.log.delete_one(doc! { "_id": key }).await.unwrap();
    let mut unknown = document.clone();
    unknown.key = LogKey::new(unknown.received_at, Uuid::from_u128(1));
    let documents = [&document, &unknown].map(VoteDocument::to_raw);
    environment.log.insert_many(&documents).await.unwrap();
    assert_differences(
        &reconcile(&environment, &[]),
        &[(route, "kafka", "missing", &unknown.key.vote_id().to_string())],
    );
    environment
        .log
        .delete_one(doc! { "_id": unknown.key })
        .await
        .unwrap();

    // It would build a sorted set whose size differs from that of its hash.
    assert!(consumer.terminate().await.success());
    // The sorted set of the hash differs too.
    let sorted_set = ("", "redis", "count", "");
    for (key, field, difference) in [
        ("{votes}:route", route, (route, "redis", "double", "")),
        ("{votes}:band", band, ("", "redis", "count", "")),
        (
            "{votes}:album",
            "Unknown Band - Unknown Album",
            ("", "redis", "count", ""),
        ),
        ("{votes}:route", "unknown", ("", "redis", "count", "")),
    ] {
        let _: i64 = redis.hincr(key, field, 1).await.unwrap();
        assert_differences(&reconcile(&environment, &[]), &[difference, sorted_set]);
        let left: i64 = redis.hincr(key, field, -1).await.unwrap();
        if left == 0 {
            let _: () = redis.hdel(key, field).await.unwrap();
        }
    }
    let _: i64 = redis.hincr("{votes}:route", route, -2).await.unwrap();
    let lost = reconcile(&environment, &[]);
    assert_differences(&lost, &[(route, "redis", "missing", ""), sorted_set]);
    assert_eq!(lost.sum("lost"), 2);
    let _: i64 = redis.hincr("{votes}:route", route, 2).await.unwrap();
    let _: i64 = redis.incr("{votes}:total", 1).await.unwrap();
    assert_differences(&reconcile(&environment, &[]), &[("", "redis", "count", "")]);
    let _: i64 = redis.decr("{votes}:total", 1).await.unwrap();

    assert!(
        reconcile(&environment, &[]).is_reconciled(),
        "all changes of this test are undone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn difference_from_the_ledger_is_found() {
    let environment = TestEnvironment::new("reconcile_ledger").await;
    let consumer = environment.consumer(&[]);
    let events = send_and_wait(&environment, 32).await;
    let unknown_id = Uuid::from_u128(7).to_string();

    let ledger = Ledger::of(&events);
    ledger.add(Some(&unknown_id), Some("grpc"), true);
    let lost = reconcile(&environment, &["--ledger", ledger.path()]);
    assert_differences(&lost, &[("grpc", "kafka", "missing", &unknown_id)]);
    assert_eq!(lost.sum("lost"), 1);

    let server_generated = events.iter().position(|event| !event.id_from_client).unwrap();
    let (id, route) = (
        events[server_generated].vote_id.to_string(),
        events[server_generated].route.as_str(),
    );
    let ledger = Ledger::of(&events);
    ledger.add(Some(&id), Some(route), true);
    let double = reconcile(&environment, &["--ledger", ledger.path()]);
    assert_differences(&double, &[(route, "ledger", "double", &id)]);
    assert_eq!(double.sum("double"), 1);

    let mut others = events.clone();
    others.remove(server_generated);
    let ledger = Ledger::of(&others);
    let unacknowledged = (route, "kafka", "unacknowledged", id.as_str());
    let options = ["--ledger", ledger.path(), "--tolerate-failed"];
    assert_differences(&reconcile(&environment, &options[..2]), &[unacknowledged]);
    assert_differences(&reconcile(&environment, &options), &[unacknowledged]);
    ledger.add(None, None, false);
    let unanswered = ("", "ledger", "count", "");
    assert_differences(
        &reconcile(&environment, &options[..2]),
        &[unacknowledged, unanswered],
    );
    let tolerated = reconcile(&environment, &options);
    assert!(tolerated.is_reconciled());
    assert_eq!(tolerated.sum("in_doubt"), 1);

    // A failed line for another vote does not explain this vote.
    let ledger = Ledger::of(&others);
    let options = ["--ledger", ledger.path(), "--tolerate-failed"];
    ledger.add(Some(&unknown_id), Some(route), false);
    assert_differences(&reconcile(&environment, &options), &[unacknowledged]);
    ledger.add(Some(&id), Some(route), false);
    assert!(reconcile(&environment, &options).is_reconciled());
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_server_generated_id_is_a_double_and_a_client_chosen_id_is_not() {
    let environment = TestEnvironment::new("reconcile_double").await;
    let consumer = environment.consumer(&[]);
    let events = send_and_wait(&environment, 33).await;
    let client = events.iter().find(|event| event.id_from_client).unwrap();
    send(&environment.writer, std::slice::from_ref(client)).await;
    assert!(reconcile(&environment, &[]).is_reconciled());

    let server_generated = events.iter().find(|event| !event.id_from_client).unwrap();
    send(&environment.writer, std::slice::from_ref(server_generated)).await;
    let double = reconcile(&environment, &["--list", "1"]);
    assert_eq!(double.code, 1);
    let (id, route) = (
        server_generated.vote_id.to_string(),
        server_generated.route.as_str(),
    );
    let twice_in_kafka = (route, "kafka", "double", id.as_str());
    let counted_twice = (route, "redis", "double", "");
    let count = ("", "redis", "count", "");
    // Total, band and album.
    assert_differences(&double, &[twice_in_kafka, counted_twice, count, count, count]);
    assert_eq!((double.sum("lost"), double.sum("double")), (0, 1));

    // A rebuild corrects the tally; the double record stays in Kafka.
    assert_eq!(run(&environment, "rebuild", &["--from", "kafka"]).code, 0);
    assert_differences(&reconcile(&environment, &[]), &[twice_in_kafka]);
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn uncounted_votes_or_an_unavailable_store_give_exit_code_2() {
    let environment = TestEnvironment::new("reconcile_unknown").await;
    let consumer = environment.consumer(&[]);
    let mut events = send_and_wait(&environment, 34).await;
    assert!(consumer.terminate().await.success());
    events.push(event(&mut fastrand::Rng::with_seed(35), None));
    send(&environment.writer, &events[events.len() - 1..]).await;
    let ledger = Ledger::of(&events);

    let incomplete = reconcile(&environment, &["--ledger", ledger.path(), "--wait-s", "1"]);
    assert_eq!(
        (incomplete.code, &incomplete.json["reconciled"]),
        (2, &false.into())
    );
    assert!(incomplete.differences().is_empty());

    let consumer = environment.consumer(&[]);
    assert!(reconcile(&environment, &["--ledger", ledger.path()]).is_reconciled());
    environment.stack.kill(Server::Redis).await.unwrap();
    let failed = run(&environment, "reconcile", &[]);
    environment.stack.start_server(Server::Redis).await.unwrap();
    assert_eq!(failed.code, 2);
    assert!(
        failed
            .stderr
            .contains("could not compare the stores: connecting to Redis"),
        "{failed:?}"
    );
    assert!(consumer.terminate().await.success());
}
