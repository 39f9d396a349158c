//! Dead letters: records that nobody can read, kept as they came, with headers that say where from and why.

use crate::{KafkaError, Record, RecordWriter};

/// What the names of all our headers begin with.
const HEADER_PREFIX: &str = "dlq.";
/// Header: the topic that the record came from.
pub const TOPIC_HEADER: &str = "dlq.topic";
/// Header: its partition there, in decimal.
pub const PARTITION_HEADER: &str = "dlq.partition";
/// Header: its offset there, in decimal.
pub const OFFSET_HEADER: &str = "dlq.offset";
/// Header: why it could not be read.
pub const ERROR_HEADER: &str = "dlq.error";
/// Header of a record that an operator has sent again: where it lay first, as `partition/offset`. A copy of it may have
/// been counted before.
pub const REPLAYED_HEADER: &str = "dlq.replayed";

/// Where a record lay before it became a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition there.
    pub partition: i32,
    /// The offset there.
    pub offset: i64,
}

impl Origin {
    /// Where a letter came from; None if its headers do not say.
    pub fn of(letter: &Record) -> Option<Self> {
        Some(Self {
            topic: header(letter, TOPIC_HEADER)?.to_owned(),
            partition: header(letter, PARTITION_HEADER)?.parse().ok()?,
            offset: header(letter, OFFSET_HEADER)?.parse().ok()?,
        })
    }

    /// The record to send again: as it first lay there, and with [`REPLAYED_HEADER`].
    pub fn replay(&self, letter: Record) -> Record {
        let mut record = letter;
        record
            .headers
            .retain(|(name, _)| !name.starts_with(HEADER_PREFIX));
        let place = format!("{}/{}", self.partition, self.offset);
        record
            .headers
            .push((REPLAYED_HEADER.to_owned(), place.into_bytes()));
        record
    }
}

/// Whether a record was sent again.
pub fn is_replayed(record: &Record) -> bool {
    header(record, REPLAYED_HEADER).is_some()
}

fn header<'a>(record: &'a Record, wanted: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(name, _)| name == wanted)?;
    std::str::from_utf8(value).ok()
}

/// The way into the dead letter topic.
#[derive(Clone)]
pub struct DeadLetters {
    writer: RecordWriter,
}

impl DeadLetters {
    /// A producer for the dead letter topic `topic`.
    pub fn new(brokers: &str, topic: &str) -> Result<Self, KafkaError> {
        Ok(Self {
            writer: RecordWriter::new(brokers, topic)?,
        })
    }

    /// Writes a copy of `record`, which came from `origin_topic`; returns after Kafka has acknowledged it. A letter
    /// may be written twice when an attempt fails late: its headers say which are one.
    pub async fn send(&self, record: &Record, origin_topic: &str, error: &str) -> Result<(), KafkaError> {
        let origin = [
            (TOPIC_HEADER, origin_topic.to_owned()),
            (PARTITION_HEADER, record.partition.to_string()),
            (OFFSET_HEADER, record.offset.to_string()),
            (ERROR_HEADER, error.to_owned()),
        ];
        let mut letter = record.clone();
        // A letter that was sent back and fails again has its newest origin only.
        letter
            .headers
            .retain(|(name, _)| !origin.iter().any(|(taken, _)| taken == name));
        letter
            .headers
            .extend(origin.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self.writer.write(&letter).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(headers: &[(&str, &str)]) -> Record {
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
    fn what_is_sent_again_has_its_own_headers_and_says_where_it_lay() {
        let before = letter(&[
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
        let again = origin.replay(before);
        assert_eq!(again, letter(&[("trace", "7"), (REPLAYED_HEADER, "4/17")]));
        assert!(is_replayed(&again) && Origin::of(&again).is_none());
    }

    #[test]
    fn a_letter_that_does_not_say_where_from_has_no_origin() {
        for headers in [
            &[][..],
            &[(TOPIC_HEADER, "votes"), (PARTITION_HEADER, "0")],
            &[
                (TOPIC_HEADER, "votes"),
                (PARTITION_HEADER, "x"),
                (OFFSET_HEADER, "1"),
            ],
        ] {
            assert_eq!(Origin::of(&letter(headers)), None);
        }
    }
}
