//! `consumer migrate-log`: a log of an earlier version gets the present layout.

use mongodb::bson::{self, DateTime, RawDocumentBuf, doc};
use mongodb::{Collection, IndexModel};
use uuid::Uuid;
use vote::VoteEvent;
use vote_log::{Layout, LogKey, VoteDocument, layout};

use crate::commands::run;
use crate::environment::TestEnvironment;
use crate::votes::{event, record};

/// More than one batch of the migration.
const VOTES: usize = 5_000;
const COPY: &str = "logs_migrating";

/// A document as the earlier version wrote it.
fn earlier_document(event: &VoteEvent, offset: i64) -> bson::Document {
    doc! {
        "_id": event.vote_id.to_string(), "name": event.vote.name.as_str(), "album": event.vote.album.as_str(),
        "year": event.vote.year.to_string(), "rank": event.vote.rank.to_string(), "route": event.route.as_str(),
        "received_at": DateTime::from_millis(event.received_at_us / 1_000),
        "consumed_at": DateTime::from_millis(event.received_at_us / 1_000 + 5), "partition": 0, "offset": offset,
    }
}

/// A log with the earlier layout, and the votes in it.
async fn earlier_log(environment: &TestEnvironment) -> Vec<VoteEvent> {
    let log: Collection<bson::Document> = environment.log.clone_with_type();
    let database = log.client().database("votes");
    database.collection::<bson::Document>(COPY).drop().await.unwrap();
    let newest_first = IndexModel::builder()
        .keys(doc! { "received_at": -1, "_id": -1 })
        .build();
    log.create_index(newest_first).await.unwrap();
    let random = &mut fastrand::Rng::with_seed(17);
    let events: Vec<_> = (0..VOTES)
        .map(|number| {
            let chosen_id = number.is_multiple_of(3).then(|| Uuid::from_u128(random.u128(..)));
            event(random, chosen_id)
        })
        .collect();
    let documents = (0..)
        .zip(&events)
        .map(|(offset, event)| earlier_document(event, offset));
    log.insert_many(documents).await.unwrap();
    events
}

async fn assert_migrated(environment: &TestEnvironment, events: &[VoteEvent]) {
    let database = environment.log.client().database("votes");
    assert_eq!(layout(&database, "logs").await.unwrap(), Layout::Clustered);
    assert_eq!(layout(&database, COPY).await.unwrap(), Layout::Missing);
    let logged = environment.logged().await;
    assert_eq!(logged.len(), events.len());
    for (offset, event) in (0..).zip(events) {
        let document = &logged[&event.vote_id.to_string()];
        let received_at = DateTime::from_millis(event.received_at_us / 1_000);
        assert_eq!(document.key, LogKey::new(received_at, event.vote_id));
        assert_eq!((document.offset, document.received_at), (offset, received_at));
        assert_eq!(document.name, event.vote.name.as_str());
        assert!(document.chosen_id.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_waits_for_the_migration_and_logs_each_vote_once_after_it() {
    let environment = TestEnvironment::new("migrate_log").await;
    let events = earlier_log(&environment).await;
    let consumer = environment.consumer(&[]);
    consumer.wait_until_not_ready("consumer migrate-log").await;
    let migrated = run(&environment, "migrate-log", &[]);
    assert_eq!(migrated.code, 0);
    assert!(migrated.stdout.contains("5000 documents"), "{}", migrated.stdout);
    assert_migrated(&environment, &events).await;
    // Records of votes that the earlier version logged and did not count, and one that its client sent again later.
    let mut repeated = events[0].clone();
    repeated.received_at_us += 60_000_000;
    for vote in [&events[0], &events[1], &repeated] {
        environment.writer.write(&record(vote)).await.unwrap();
    }
    environment.wait_until_applied(3).await;
    assert_migrated(&environment, &events).await;
    assert!(consumer.terminate().await.success());
    let again = run(&environment, "migrate-log", &[]);
    assert_eq!(again.code, 0);
    assert!(again.stdout.contains("nothing to migrate"), "{}", again.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_migration_continues() {
    let environment = TestEnvironment::new("migrate_log_again").await;
    let mut events = earlier_log(&environment).await;
    // As after an interruption in the middle of the second batch.
    let database = environment.log.client().database("votes");
    vote_log::create(&database, COPY).await.unwrap();
    events.sort_by_key(|event| (event.received_at_us / 1_000, event.vote_id));
    let copied = events[..3_000].iter().map(|event| {
        let received_at = DateTime::from_millis(event.received_at_us / 1_000);
        VoteDocument {
            key: LogKey::new(received_at, event.vote_id),
            chosen_id: Some(bson::Uuid::from_bytes(event.vote_id.into_bytes())),
            name: "copied before".into(),
            album: "".into(),
            year: "".into(),
            rank: "".into(),
            route: "".into(),
            received_at,
            consumed_at: received_at,
            partition: 0,
            offset: 0,
        }
    });
    for insert in vote_log::inserts_into(COPY, copied) {
        vote_log::run_insert(&database, insert).await.unwrap();
    }
    let migrated = run(&environment, "migrate-log", &[]);
    assert_eq!(migrated.code, 0);
    let logged = environment.logged().await;
    assert_eq!(logged.len(), VOTES);
    let kept = logged.values().filter(|vote| vote.name == "copied before");
    assert_eq!(
        kept.count(),
        3_000,
        "documents that were copied before are not written again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn document_that_is_not_a_vote_stops_the_migration_and_changes_nothing() {
    let environment = TestEnvironment::new("migrate_log_invalid").await;
    earlier_log(&environment).await;
    let log: Collection<bson::Document> = environment.log.clone_with_type();
    log.insert_one(doc! { "_id": "x", "name": "y" }).await.unwrap();
    let failed = run(&environment, "migrate-log", &[]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("is not a vote"), "{}", failed.stderr);
    let database = environment.log.client().database("votes");
    assert_eq!(layout(&database, "logs").await.unwrap(), Layout::Earlier);
    log.delete_one(doc! { "_id": "x" }).await.unwrap();
    assert_eq!(run(&environment, "migrate-log", &[]).code, 0);
    let migrated: Collection<RawDocumentBuf> = environment.log.clone();
    assert_eq!(migrated.count_documents(doc! {}).await.unwrap(), VOTES as u64);
}
