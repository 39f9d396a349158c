//! Records that nobody can read.

use std::collections::BTreeMap;

use kafka::dead_letter::{ERROR_HEADER, OFFSET_HEADER, PARTITION_HEADER, TOPIC_HEADER};

use crate::bed::Bed;
use crate::votes::{expected, mixed, raw_record, send};

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
