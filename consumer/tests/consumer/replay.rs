//! `consumer replay-dead-letters`: what can be read after all is counted, once.

use kafka::Record;
use kafka::dead_letter::DeadLetterTopic;
use redis::AsyncCommands;
use vote::VoteEvent;

use crate::commands::{reconcile, run};
use crate::environment::TestEnvironment;
use crate::votes::{event, expected, mixed, raw_record, record, send};

const LETTERS: usize = 40;

/// Buries poison, and puts letters beside it that say the same origin and can be read: as if the consumer could now.
async fn bury(environment: &TestEnvironment) -> Vec<VoteEvent> {
    let letters = DeadLetterTopic::new(
        &environment.stack.endpoints().kafka,
        &environment.dead_letter_topic(),
    )
    .unwrap();
    let mut random = fastrand::Rng::with_seed(50);
    let mut events = Vec::new();
    for _ in 0..LETTERS {
        // Ids of our own: only the header says that they may come twice.
        let event = event(&mut random, None);
        let key = event.vote_id.to_string();
        let (partition, offset) = environment
            .writer
            .write(&raw_record(key.as_bytes(), b"\xff"))
            .await
            .unwrap();
        let letter = Record {
            partition,
            offset,
            ..record(&event)
        };
        letters
            .send(&letter, &environment.topic, "too new")
            .await
            .unwrap();
        events.push(event);
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_now_is_counted_once_however_often_it_is_sent() {
    let environment = TestEnvironment::new("replay").await;
    let mut events = mixed(&mut fastrand::Rng::with_seed(51), 500);
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    send(&environment.writer, &events).await;
    events.extend(bury(&environment).await);
    assert!(
        reconcile(&environment, &[]).is_reconciled(),
        "letters are no votes"
    );
    assert!(consumer.terminate().await.success());

    let summary = |sent: &str, logged: usize| {
        format!(
            "{} letters: {sent} sent again, {logged} are logged already or twice here, {LETTERS} left",
            2 * LETTERS
        )
    };
    let dry = run(&environment, "replay-dead-letters", &["--dry-run"]);
    assert!(
        dry.stdout.contains(&summary(&format!("{LETTERS} would be"), 0)),
        "{dry:?}"
    );
    // Nothing is logged in between, so each is sent twice.
    for _ in 0..2 {
        let replayed = run(&environment, "replay-dead-letters", &[]);
        assert_eq!(replayed.code, 0);
        assert!(
            replayed.stdout.contains(&summary(&LETTERS.to_string(), 0)),
            "{replayed:?}"
        );
        assert!(replayed.stdout.contains("left: replay.dlq 0/"), "{replayed:?}");
    }
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    let reconciled = reconcile(&environment, &[]);
    assert!(reconciled.is_reconciled());
    environment.assert_holds_exactly(&events).await;

    let done = run(&environment, "replay-dead-letters", &[]);
    assert!(done.stdout.contains(&summary("0", LETTERS)), "{done:?}");
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_that_could_not_be_read_when_it_came_is_missing_until_it_is_sent_again() {
    let environment = TestEnvironment::new("replay_readable").await;
    let mut events = mixed(&mut fastrand::Rng::with_seed(53), 500);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    assert!(consumer.terminate().await.success());
    // As an older consumer would have left it: buried, and the fence beyond it.
    let vote = event(&mut fastrand::Rng::with_seed(54), None);
    let (partition, offset) = environment.writer.write(&record(&vote)).await.unwrap();
    let letter = Record {
        partition,
        offset,
        ..record(&vote)
    };
    let letters = DeadLetterTopic::new(
        &environment.stack.endpoints().kafka,
        &environment.dead_letter_topic(),
    )
    .unwrap();
    letters
        .send(&letter, &environment.topic, "too new")
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
async fn a_letter_without_a_way_back_is_left_and_explained() {
    let environment = TestEnvironment::new("replay_astray").await;
    let brokers = environment.stack.endpoints().kafka.clone();
    let consumer = environment.consumer(&[]);
    consumer.wait_until_ready().await;
    let mut random = fastrand::Rng::with_seed(52);
    let letters = DeadLetterTopic::new(&brokers, &environment.dead_letter_topic()).unwrap();
    let vote = record(&event(&mut random, None));
    letters.send(&vote, "nowhere", "odd").await.unwrap();
    let writer = kafka::RecordWriter::new(&brokers, &environment.dead_letter_topic()).unwrap();
    writer.write(&record(&event(&mut random, None))).await.unwrap();

    let replayed = run(&environment, "replay-dead-letters", &[]);
    assert_eq!(replayed.code, 0);
    for reason in ["--topic nowhere sends it back", "does not say where it came from"] {
        assert!(replayed.stdout.contains(reason), "{replayed:?}");
    }
    assert!(
        replayed.stdout.contains("2 letters: 0 sent again"),
        "{replayed:?}"
    );
    assert!(consumer.terminate().await.success());
}
