//! Dead-letter records: copies of records that cannot be decoded, with headers that give the origin and the error.

use crate::{Brokers, KafkaError, Record, RecordWriter};

/// Prefix of the names of all headers below.
const HEADER_PREFIX: &str = "dlq.";
/// Header: the topic that the record was read from.
pub const TOPIC_HEADER: &str = "dlq.topic";
/// Header: its partition in that topic, in decimal.
pub const PARTITION_HEADER: &str = "dlq.partition";
/// Header: its offset in that partition, in decimal.
pub const OFFSET_HEADER: &str = "dlq.offset";
/// Header: why it could not be decoded.
pub const ERROR_HEADER: &str = "dlq.error";
/// Header of a replayed record: its original position, as `partition/offset`. A copy of the record may already be counted.
pub const REPLAYED_HEADER: &str = "dlq.replayed";

/// The original position of a dead-letter record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition of that topic.
    pub partition: i32,
    /// The offset in that partition.
    pub offset: i64,
}

impl Origin {
    /// The origin of a dead-letter record; None if its headers do not give one.
    pub fn of(dead_letter: &Record) -> Option<Self> {
        Some(Self {
            topic: header(dead_letter, TOPIC_HEADER)?.to_owned(),
            partition: header(dead_letter, PARTITION_HEADER)?.parse().ok()?,
            offset: header(dead_letter, OFFSET_HEADER)?.parse().ok()?,
        })
    }

    /// The record to replay: the original record, with [`REPLAYED_HEADER`].
    pub fn replay(&self, dead_letter: Record) -> Record {
        let mut record = dead_letter;
        record
            .headers
            .retain(|(name, _)| !name.starts_with(HEADER_PREFIX));
        let position = format!("{}/{}", self.partition, self.offset);
        record
            .headers
            .push((REPLAYED_HEADER.to_owned(), position.into_bytes()));
        record
    }
}

/// Whether an operator replayed this record.
pub fn is_replayed(record: &Record) -> bool {
    header(record, REPLAYED_HEADER).is_some()
}

fn header<'a>(record: &'a Record, searched: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(name, _)| name == searched)?;
    std::str::from_utf8(value).ok()
}

/// A writer for the dead-letter topic.
#[derive(Clone)]
pub struct DeadLetterTopic {
    writer: RecordWriter,
}

impl DeadLetterTopic {
    /// A producer for the dead-letter topic `topic`.
    pub fn new(brokers: impl Into<Brokers>, topic: &str) -> Result<Self, KafkaError> {
        Ok(Self {
            writer: RecordWriter::new(brokers, topic)?,
        })
    }

    /// Writes a copy of `record`, which was read from `origin_topic`. Returns after Kafka has acknowledged it. If an
    /// attempt fails after the write, a retry writes a second copy: both copies have the same headers.
    pub async fn send(&self, record: &Record, origin_topic: &str, error: &str) -> Result<(), KafkaError> {
        let origin = [
            (TOPIC_HEADER, origin_topic.to_owned()),
            (PARTITION_HEADER, record.partition.to_string()),
            (OFFSET_HEADER, record.offset.to_string()),
            (ERROR_HEADER, error.to_owned()),
        ];
        let mut dead_letter = record.clone();
        // A replayed record that fails again keeps only its newest origin.
        dead_letter
            .headers
            .retain(|(name, _)| !origin.iter().any(|(reserved, _)| reserved == name));
        dead_letter
            .headers
            .extend(origin.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self.writer.write(&dead_letter).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letter(headers: &[(&str, &str)]) -> Record {
        Record {
            partition: 0,
            offset: 3,
            key: Some(b"key".to_vec()),
            payload: b"value".to_vec(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            timestamp_ms: Some(1),
        }
    }

    #[test]
    fn replayed_record_has_its_original_headers_and_its_original_position() {
        let before = dead_letter(&[
            ("trace", "7"),
            (REPLAYED_HEADER, "0/1"),
            (TOPIC_HEADER, "votes"),
            (PARTITION_HEADER, "4"),
            (OFFSET_HEADER, "17"),
            (ERROR_HEADER, "cut off"),
        ]);
        let origin = Origin::of(&before).unwrap();
        assert_eq!(
            (origin.topic.as_str(), origin.partition, origin.offset),
            ("votes", 4, 17)
        );
        let replayed = origin.replay(before);
        assert_eq!(
            replayed,
            dead_letter(&[("trace", "7"), (REPLAYED_HEADER, "4/17")])
        );
        assert!(is_replayed(&replayed) && Origin::of(&replayed).is_none());
    }

    #[test]
    fn record_with_incomplete_headers_has_no_origin() {
        for headers in [
            &[][..],
            &[(TOPIC_HEADER, "votes"), (PARTITION_HEADER, "0")],
            &[
                (TOPIC_HEADER, "votes"),
                (PARTITION_HEADER, "x"),
                (OFFSET_HEADER, "1"),
            ],
        ] {
            assert_eq!(Origin::of(&dead_letter(headers)), None);
        }
    }
}
