//! A vote, as it is stored in the log and as clients receive it.

use mongodb::bson::DateTime;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;
use vote_log::VoteDocument;

/// A vote in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_field_names, reason = "the name is part of the API")]
pub(crate) struct Vote {
    /// The vote's id.
    pub vote_id: Uuid,
    /// The name of the band.
    pub name: String,
    album: String,
    year: String,
    rank: String,
    /// The route that accepted the vote.
    pub route: String,
    /// When the route received the vote.
    #[serde(serialize_with = "rfc3339")]
    pub received_at: DateTime,
    #[serde(serialize_with = "rfc3339")]
    consumed_at: DateTime,
    partition: i32,
    offset: i64,
}

impl From<VoteDocument<'_>> for Vote {
    fn from(document: VoteDocument<'_>) -> Self {
        Self {
            vote_id: document.key.vote_id(),
            name: document.name.into_owned(),
            album: document.album.into_owned(),
            year: document.year.into_owned(),
            rank: document.rank.into_owned(),
            route: document.route.into_owned(),
            received_at: document.received_at,
            consumed_at: document.consumed_at,
            partition: document.partition,
            offset: document.offset,
        }
    }
}

/// RFC 3339 in UTC, always with milliseconds. All results have the same length, so they sort by time.
pub(crate) fn format_time(time: OffsetDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond(),
    )
}

/// [`format_time`] for a time of the log.
pub(super) fn rfc3339_text(time: DateTime) -> String {
    let nanoseconds = i128::from(time.timestamp_millis()) * 1_000_000;
    match OffsetDateTime::from_unix_timestamp_nanos(nanoseconds) {
        Ok(time) => format_time(time),
        // BSON allows times outside the calendar's range. No vote has one.
        Err(_) => format!("{} ms since 1970", time.timestamp_millis()),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
fn rfc3339<S: Serializer>(time: &DateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339_text(*time))
}

#[cfg(test)]
mod tests {
    use vote_log::LogKey;

    use super::*;

    #[test]
    fn document_is_converted_to_the_json_of_the_contract() {
        let received_at = DateTime::from_millis(1_700_000_000_007);
        let id = Uuid::from_u128(0x018f_4c9e_7f2a_7000_8000_0000_0000_0001);
        let vote = Vote::from(VoteDocument {
            key: LogKey::new(received_at, id),
            chosen_id: None,
            name: "Alux Nahual".into(),
            album: "Centroamérica".into(),
            year: "1984".into(),
            rank: "9.5".into(),
            route: "grpc".into(),
            received_at,
            consumed_at: DateTime::from_millis(1_700_000_001_000),
            partition: 3,
            offset: 17,
        });
        let json = serde_json::to_value(&vote).unwrap();
        let expected = serde_json::json!({
            "vote_id": "018f4c9e-7f2a-7000-8000-000000000001", "name": "Alux Nahual", "album": "Centroamérica",
            "year": "1984", "rank": "9.5", "route": "grpc", "received_at": "2023-11-14T22:13:20.007Z",
            "consumed_at": "2023-11-14T22:13:21.000Z", "partition": 3, "offset": 17,
        });
        assert_eq!(json, expected);
    }
}
