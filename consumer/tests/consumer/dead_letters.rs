//! Records that nobody can read.

use std::collections::BTreeMap;

use kafka::dead_letter::{ERROR_HEADER, OFFSET_HEADER, PARTITION_HEADER, REPLAYED_HEADER, TOPIC_HEADER};

use crate::bed::Bed;
use crate::votes::{event, expected, mixed, raw_record, record, send};

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_with_its_origin_and_the_rest_is_counted() {
    let bed = Bed::new("poison").await;
    let events = mixed(&mut fastrand::Rng::with_seed(6), 1_000);
    send(&bed.writer, &events[..500]).await;
    let valid = events[0].clone().encode();
    let poison = [
        (&b"not protobuf"[..], &b"\xff\xff\xff"[..], "not a VoteEvent"),
        (b"empty", b"", "unknown route"),
        (b"cut off", &valid[..valid.len() / 2], ""),
    ];
    let mut origins = BTreeMap::new();
    for (key, payload, _) in poison {
        let (partition, offset) = bed.writer.write(&raw_record(key, payload)).await.unwrap();
        origins.insert(key.to_vec(), (partition.to_string(), offset.to_string()));
    }
    send(&bed.writer, &events[500..]).await;

    let consumer = bed.consumer(&[]);
    bed.counted(expected(&events).total).await;
    bed.holds_exactly(&events).await;
    let dead_letters = consumer
        .metric("consumer_votes_total{result=\"dead_letter\",route=\"unknown\"}")
        .await;
    assert_eq!(dead_letters, Some(poison.len() as u64));

    let mut letters = BTreeMap::new();
    let (brokers, topic) = (bed.stack.endpoints().kafka.clone(), bed.dead_letter_topic());
    let read = move || {
        kafka::scan(&brokers, &topic, |record| {
            letters.insert(record.key.clone().unwrap(), record.clone());
        })
        .unwrap();
        letters
    };
    let letters = tokio::task::spawn_blocking(read).await.unwrap();
    assert_eq!(letters.len(), poison.len());
    for (key, payload, reason) in poison {
        let letter = &letters[key];
        assert_eq!(letter.payload, payload);
        let headers: BTreeMap<_, _> = letter
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
async fn a_flood_of_poison_stops_the_consumer_and_a_restart_stops_at_the_same_place() {
    const LIMIT: usize = 20;
    let bed = Bed::new("flood").await;
    let limit = ["--dead-letter-limit", "20"];
    let events = mixed(&mut fastrand::Rng::with_seed(7), 600);
    let poison = async |count| {
        for _ in 0..count {
            bed.writer
                .write(&raw_record(b"one key: one partition", b"\xff"))
                .await
                .unwrap();
        }
    };
    send(&bed.writer, &events[..300]).await;
    poison(LIMIT).await;
    let consumer = bed.consumer(&limit);
    bed.counted(expected(&events[..300]).total).await;
    bed.dead_letters(LIMIT).await;
    consumer.ready().await;

    poison(5 * LIMIT).await;
    send(&bed.writer, &events[300..]).await;
    assert_eq!(consumer.ended().await.code(), Some(1));
    let again = bed.consumer(&limit);
    assert_eq!(again.ended().await.code(), Some(1));
    bed.dead_letters(LIMIT).await;

    let lenient = bed.consumer(&["--dead-letter-limit", "200"]);
    bed.counted(expected(&events).total).await;
    bed.dead_letters(6 * LIMIT).await;
    bed.holds_exactly(&events).await;
    assert!(lenient.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_vote_is_counted_once_however_often_it_is_sent() {
    let bed = Bed::new("replayed").await;
    let vote = event(&mut fastrand::Rng::with_seed(8), None);
    let mut replayed = record(&vote);
    replayed
        .headers
        .push((REPLAYED_HEADER.to_owned(), b"1/2".to_vec()));
    let last = event(&mut fastrand::Rng::with_seed(9), None);
    for record in [&replayed, &replayed, &record(&last)] {
        bed.writer.write(record).await.unwrap();
    }
    let consumer = bed.consumer(&[]);
    bed.counted(2).await;
    bed.applied(3).await;
    bed.holds_exactly(&[vote, last]).await;
    assert!(consumer.terminate().await.success());
}
