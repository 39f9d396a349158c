//! Records that cannot be decoded.

use std::collections::BTreeMap;

use kafka::dead_letter::{ERROR_HEADER, OFFSET_HEADER, PARTITION_HEADER, REPLAYED_HEADER, TOPIC_HEADER};

use crate::environment::TestEnvironment;
use crate::votes::{event, expected, mixed, raw_record, record, send};

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_records_go_to_the_dead_letter_topic_and_the_rest_is_counted() {
    let environment = TestEnvironment::new("poison").await;
    let events = mixed(&mut fastrand::Rng::with_seed(6), 1_000);
    send(&environment.writer, &events[..500]).await;
    let valid = events[0].clone().encode();
    let undecodable = [
        (&b"not protobuf"[..], &b"\xff\xff\xff"[..], "not a VoteEvent"),
        (b"empty", b"", "unknown route"),
        (b"cut off", &valid[..valid.len() / 2], ""),
    ];
    let mut origins = BTreeMap::new();
    for (key, payload, _) in undecodable {
        let (partition, offset) = environment.writer.write(&raw_record(key, payload)).await.unwrap();
        origins.insert(key.to_vec(), (partition.to_string(), offset.to_string()));
    }
    send(&environment.writer, &events[500..]).await;

    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(expected(&events).total).await;
    environment.assert_holds_exactly(&events).await;
    let dead_letters = consumer
        .metric("consumer_votes_total{result=\"dead_letter\",route=\"unknown\"}")
        .await;
    assert_eq!(dead_letters, Some(undecodable.len() as u64));

    let mut records = BTreeMap::new();
    let (brokers, topic) = (
        environment.stack.endpoints().kafka.clone(),
        environment.dead_letter_topic(),
    );
    let read = move || {
        kafka::scan(&brokers, &topic, |record| {
            records.insert(record.key.clone().unwrap(), record.clone());
        })
        .unwrap();
        records
    };
    let records = tokio::task::spawn_blocking(read).await.unwrap();
    assert_eq!(records.len(), undecodable.len());
    for (key, payload, reason) in undecodable {
        let dead_letter = &records[key];
        assert_eq!(dead_letter.payload, payload);
        let headers: BTreeMap<_, _> = dead_letter
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8(value.clone()).unwrap()))
            .collect();
        assert_eq!(headers[TOPIC_HEADER], "poison");
        let (partition, offset) = &origins[key];
        assert_eq!(
            (&headers[PARTITION_HEADER], &headers[OFFSET_HEADER]),
            (partition, offset)
        );
        assert!(headers[ERROR_HEADER].contains(reason) && !headers[ERROR_HEADER].is_empty());
    }
    assert!(consumer.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn exceeded_dead_letter_limit_stops_the_consumer_and_its_restart_at_the_same_record() {
    const LIMIT: usize = 20;
    let environment = TestEnvironment::new("limit").await;
    let limit = ["--dead-letter-limit", "20"];
    let events = mixed(&mut fastrand::Rng::with_seed(7), 600);
    let send_undecodable = async |count| {
        for _ in 0..count {
            environment
                .writer
                .write(&raw_record(b"one key: one partition", b"\xff"))
                .await
                .unwrap();
        }
    };
    send(&environment.writer, &events[..300]).await;
    send_undecodable(LIMIT).await;
    let consumer = environment.consumer(&limit);
    environment
        .wait_until_counted(expected(&events[..300]).total)
        .await;
    environment.wait_for_dead_letters(LIMIT).await;
    consumer.wait_until_ready().await;

    send_undecodable(5 * LIMIT).await;
    send(&environment.writer, &events[300..]).await;
    assert_eq!(consumer.wait_until_exited().await.code(), Some(1));
    let restarted = environment.consumer(&limit);
    assert_eq!(restarted.wait_until_exited().await.code(), Some(1));
    environment.wait_for_dead_letters(LIMIT).await;

    let lenient = environment.consumer(&["--dead-letter-limit", "200"]);
    environment.wait_until_counted(expected(&events).total).await;
    environment.wait_for_dead_letters(6 * LIMIT).await;
    environment.assert_holds_exactly(&events).await;
    assert!(lenient.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_vote_is_counted_once_even_if_sent_twice() {
    let environment = TestEnvironment::new("replayed").await;
    let vote = event(&mut fastrand::Rng::with_seed(8), None);
    let mut replayed = record(&vote);
    replayed
        .headers
        .push((REPLAYED_HEADER.to_owned(), b"1/2".to_vec()));
    let last = event(&mut fastrand::Rng::with_seed(9), None);
    for record in [&replayed, &replayed, &record(&last)] {
        environment.writer.write(record).await.unwrap();
    }
    let consumer = environment.consumer(&[]);
    environment.wait_until_counted(2).await;
    environment.wait_until_applied(3).await;
    environment.assert_holds_exactly(&[vote, last]).await;
    assert!(consumer.terminate().await.success());
}
