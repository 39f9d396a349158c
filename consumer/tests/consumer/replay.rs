//! `consumer replay-dead-letters`: replayed records are counted once.

use kafka::Record;
use kafka::dead_letter::DeadLetterTopic;
use redis::AsyncCommands;
use vote::VoteEvent;

use crate::commands::{reconcile, run};
use crate::environment::TestEnvironment;
use crate::votes::{event, expected, mixed, raw_record, record, send};

const DEAD_LETTER_COUNT: usize = 40;

/// Sends undecodable records, and adds decodable dead-letter records with the same origin. The result is like that of an
/// upgraded consumer that can decode the records.
async fn send_dead_letters(environment: &TestEnvironment) -> Vec<VoteEvent> {
    let dead_letter_topic = DeadLetterTopic::new(
        &environment.stack.endpoints().kafka,
        &environment.dead_letter_topic(),
    )
    .unwrap();
    let mut random = fastrand::Rng::with_seed(50);
    let mut events = Vec::new();
    for _ in 0..DEAD_LETTER_COUNT {
        // Server-generated ids: only the replay header allows a second copy.
        let event = event(&mut random, None);
        let key = event.vote_id.to_string();
        let (partition, offset) = environment
            .writer
            .write(&raw_record(key.as_bytes(), b"\xff"))
            .await
            .unwrap();
        let dead_letter = Record {
            partition,
            offset,
            ..record(&event)
        };
        dead_letter_topic
            .send(&dead_letter, &environment.topic, "too new")
            .await
            .unwrap();
        events.push(event);
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_record_is_counted_once_even_if_replayed_twice() {
    let environment = TestEnvironment::new("replay").await;
    let mut events = mixed(&mut fastrand::Rng::with_seed(51), 500);
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    send(&environment.writer, &events).await;
    events.extend(send_dead_letters(&environment).await);
    assert!(
        reconcile(&environment, &[]).is_reconciled(),
        "dead-letter records are not votes"
    );
    assert!(consumer.terminate().await.success());

    let summary = |sent: &str, logged: usize| {
        format!(
            "{} dead-letter records: {sent} sent again, {logged} already logged or duplicate, {DEAD_LETTER_COUNT} skipped",
            2 * DEAD_LETTER_COUNT
        )
    };
    let dry = run(&environment, "replay-dead-letters", &["--dry-run"]);
    assert!(
        dry.stdout
            .contains(&summary(&format!("{DEAD_LETTER_COUNT} would be"), 0)),
        "{dry:?}"
    );
    // No consumer runs in between, so both runs send every record.
    for _ in 0..2 {
        let replayed = run(&environment, "replay-dead-letters", &[]);
        assert_eq!(replayed.code, 0);
        assert!(
            replayed
                .stdout
                .contains(&summary(&DEAD_LETTER_COUNT.to_string(), 0)),
            "{replayed:?}"
        );
        assert!(replayed.stdout.contains("skipped: replay.dlq 0/"), "{replayed:?}");
    }
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    let reconciled = reconcile(&environment, &[]);
    assert!(reconciled.is_reconciled());
    environment.assert_holds_exactly(&events).await;

    let done = run(&environment, "replay-dead-letters", &[]);
    assert!(done.stdout.contains(&summary("0", DEAD_LETTER_COUNT)), "{done:?}");
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn decodable_dead_letter_record_is_missing_until_it_is_replayed() {
    let environment = TestEnvironment::new("replay_decodable").await;
    let mut events = mixed(&mut fastrand::Rng::with_seed(53), 500);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    assert!(consumer.terminate().await.success());
    // The state after an older consumer: the record is in the dead-letter topic, and the applied offset is beyond it.
    let vote = event(&mut fastrand::Rng::with_seed(54), None);
    let (partition, offset) = environment.writer.write(&record(&vote)).await.unwrap();
    let dead_letter = Record {
        partition,
        offset,
        ..record(&vote)
    };
    let dead_letter_topic = DeadLetterTopic::new(
        &environment.stack.endpoints().kafka,
        &environment.dead_letter_topic(),
    )
    .unwrap();
    dead_letter_topic
        .send(&dead_letter, &environment.topic, "too new")
        .await
        .unwrap();
    let mut redis = environment.redis.clone();
    let _: () = redis
        .hset("{votes}:offsets", partition, offset + 1)
        .await
        .unwrap();

    let missing = reconcile(&environment, &[]);
    let (route, id) = (vote.route.as_str().to_owned(), vote.vote_id.to_string());
    let difference = (route, "redis".to_owned(), "missing".to_owned(), id);
    assert_eq!((missing.code, missing.differences()), (1, vec![difference]));
    let rebuilt = run(&environment, "rebuild", &["--from", "kafka"]);
    assert!(rebuilt.stdout.contains("nothing to correct"), "{rebuilt:?}");

    assert_eq!(run(&environment, "replay-dead-letters", &[]).code, 0);
    events.push(vote);
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    assert!(reconcile(&environment, &[]).is_reconciled());
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn record_without_a_usable_origin_is_skipped_with_a_reason() {
    let environment = TestEnvironment::new("replay_origin").await;
    let brokers = environment.stack.endpoints().kafka.clone();
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    let mut random = fastrand::Rng::with_seed(52);
    let dead_letter_topic = DeadLetterTopic::new(&brokers, &environment.dead_letter_topic()).unwrap();
    let vote = record(&event(&mut random, None));
    dead_letter_topic
        .send(&vote, "other-topic", "not decodable")
        .await
        .unwrap();
    let writer = kafka::RecordWriter::new(&brokers, &environment.dead_letter_topic()).unwrap();
    writer.write(&record(&event(&mut random, None))).await.unwrap();

    let replayed = run(&environment, "replay-dead-letters", &[]);
    assert_eq!(replayed.code, 0);
    for reason in ["use --topic other-topic to replay it", "do not give its origin"] {
        assert!(replayed.stdout.contains(reason), "{replayed:?}");
    }
    assert!(
        replayed.stdout.contains("2 dead-letter records: 0 sent again"),
        "{replayed:?}"
    );
    assert!(consumer.terminate().await.success());
}
