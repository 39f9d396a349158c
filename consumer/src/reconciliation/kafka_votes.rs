//! The votes in Kafka below the applied offsets, by id.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use kafka::dead_letter::{Origin, is_replayed};
use kafka::{Extent, Record};
use uuid::Uuid;
use vote::{Route, VoteEvent};

use super::by_route::ByRoute;
use super::snapshot::Snapshot;
use super::tally_counts::TallyCounts;
use super::vote_key::{Albums, VoteKey};
use crate::progress::Progress;
use crate::store_args::ConsumerKafkaArgs;

/// The votes in Kafka.
#[derive(Debug, Default)]
pub(crate) struct KafkaVotes {
    /// Every vote that must be counted.
    pub(crate) votes: HashMap<Uuid, VoteCopies>,
    /// The albums of these votes.
    pub(crate) albums: Albums,
    /// Votes at or after the applied offsets: not counted yet.
    pub(crate) pending: HashSet<Uuid>,
    /// Votes that were sent to the dead-letter topic and can be decoded now. They are counted only after a replay.
    pub(crate) decodable_dead_letters: HashMap<Uuid, Route>,
    /// The number of further copies of votes that their client or an operator sent again.
    pub(crate) repeats: u64,
    /// The number of records that cannot be decoded.
    pub(crate) undecodable: u64,
    /// Records that no route writes, each described by a sentence.
    pub(crate) invalid: Vec<String>,
    /// Why Kafka does not hold all votes that were counted; None if it does.
    pub(crate) incomplete: Option<String>,
}

/// All copies of one vote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VoteCopies {
    /// The key under which the first copy is counted.
    pub(crate) key: VoteKey,
    /// The timestamp, the partition and the offset of the first copy.
    first: (i64, i32, i64),
    /// The routes that wrote a copy.
    pub(crate) routes: ByRoute<bool>,
    /// Whether a client chose the id: only such an id may occur more than once.
    pub(crate) has_id_from_client: bool,
    /// The number of copies with a server-generated id that no operator replayed: at most one is allowed.
    generated_id_copies: u32,
}

impl VoteCopies {
    /// The number of copies that are neither the first one nor an allowed repeat.
    pub(crate) fn doubles(&self) -> u32 {
        let client_copy = u32::from(self.has_id_from_client && self.generated_id_copies > 0);
        (self.generated_id_copies + client_copy).saturating_sub(1)
    }
}

/// Reads the topic up to the applied offsets, and further up to `extents`. Blocks.
pub(crate) fn read(
    kafka: &ConsumerKafkaArgs,
    snapshot: &Snapshot,
    extents: &BTreeMap<i32, Extent>,
) -> Result<KafkaVotes> {
    let (brokers, topic) = (kafka.brokers.open()?, &kafka.topic);
    let dead_letters = dead_letter_positions(kafka, snapshot)?;
    let mut votes = KafkaVotes::default();
    let ends: BTreeMap<i32, i64> = extents
        .iter()
        .map(|(&partition, extent)| (partition, extent.end.max(snapshot.applied_offset(partition))))
        .collect();
    let total: i64 = ends.values().sum();
    let (mut progress, mut records_read) = (Progress::new("reading Kafka"), 0_u64);
    kafka::scan_until(&brokers, topic, &ends, |record| {
        records_read += 1;
        progress.report(|| format!("{records_read} of {total} records"));
        let is_dead_letter = dead_letters.contains(&(record.partition, record.offset));
        votes.add(record, snapshot.applied_offset(record.partition), is_dead_letter);
    })
    .with_context(|| format!("reading the topic {topic}"))?;
    // Read the extents after the scan: records that still exist now existed during the whole scan.
    let extents = kafka::extents(&brokers, topic).context("asking Kafka for the offsets of the topic")?;
    votes.incomplete = find_missing_records(snapshot, &extents);
    Ok(votes)
}

impl KafkaVotes {
    /// The counts of these votes.
    pub(crate) fn counts(&self) -> TallyCounts {
        self.albums.count(self.votes.values().map(|copies| copies.key))
    }

    fn add(&mut self, record: &Record, applied_offset: i64, is_dead_letter: bool) {
        let Ok(event) = VoteEvent::decode(&record.payload) else {
            self.undecodable += 1;
            return;
        };
        let id = event.vote_id;
        if record.offset >= applied_offset {
            self.pending.insert(id);
            return;
        }
        if is_dead_letter {
            self.decodable_dead_letters.insert(id, event.route);
            return;
        }
        let (partition, offset) = (record.partition, record.offset);
        if record.key.as_deref() != Some(id.to_string().as_bytes()) {
            self.invalid.push(format!(
                "Kafka record {partition}/{offset}: the key is not the vote's id {id}"
            ));
        }
        let key = self
            .albums
            .vote_key(event.vote.name.as_str(), event.vote.album.as_str(), event.route);
        let is_generated_id_copy = !event.id_from_client && !is_replayed(record);
        let position = (record.timestamp_ms.unwrap_or_default(), partition, offset);
        let copies = self
            .votes
            .entry(id)
            .and_modify(|_| self.repeats += u64::from(!is_generated_id_copy))
            .or_insert(VoteCopies {
                key,
                first: position,
                routes: ByRoute::default(),
                has_id_from_client: false,
                generated_id_copies: 0,
            });
        copies.routes[event.route] = true;
        copies.has_id_from_client |= event.id_from_client;
        copies.generated_id_copies += u32::from(is_generated_id_copy);
        // All copies are in one partition, where the offset gives their order. Only if partitions were added between two
        // copies, the timestamp must give it.
        let (_, first_partition, first_offset) = copies.first;
        let is_earlier = if partition == first_partition {
            offset < first_offset
        } else {
            position < copies.first
        };
        if is_earlier {
            (copies.first, copies.key) = (position, key);
        }
    }
}

/// The original positions of the current topic's dead-letter records. Such a record is counted only after a replay.
fn dead_letter_positions(kafka: &ConsumerKafkaArgs, snapshot: &Snapshot) -> Result<HashSet<(i32, i64)>> {
    let since = snapshot.counted_since_ms().unwrap_or_default();
    let mut positions = HashSet::new();
    kafka::scan(&kafka.brokers.open()?, &kafka.dead_letter_topic, |dead_letter| {
        // An earlier topic with the same name may have existed: its dead-letter records are older.
        let is_current = dead_letter.timestamp_ms.is_some_and(|written| written >= since);
        let origin = Origin::of(dead_letter);
        if let Some(origin) = origin.filter(|origin| is_current && origin.topic == kafka.topic) {
            positions.insert((origin.partition, origin.offset));
        }
    })
    .with_context(|| format!("reading the topic {}", kafka.dead_letter_topic))?;
    Ok(positions)
}

fn find_missing_records(snapshot: &Snapshot, extents: &BTreeMap<i32, Extent>) -> Option<String> {
    let earlier = snapshot.topics.len().saturating_sub(1);
    if earlier > 0 {
        return Some(format!(
            "the topic was recreated, so Kafka lacks the votes of {earlier} earlier topics with the same name"
        ));
    }
    let deleted: i64 = extents.values().map(|extent| extent.first).sum();
    if deleted > 0 {
        return Some(format!("retention has deleted {deleted} records from Kafka"));
    }
    let lost: i64 = snapshot
        .applied_offsets
        .iter()
        .map(|(partition, applied_offset)| {
            applied_offset - extents.get(partition).map_or(0, |extent| extent.end)
        })
        .filter(|missing| *missing > 0)
        .sum();
    (lost > 0).then(|| format!("Kafka has lost {lost} records that were counted"))
}

#[cfg(test)]
mod tests {
    use vote::{Album, Name, Rank, Vote, Year};

    use super::*;

    const APPLIED_OFFSET: i64 = 100;

    fn record(id: u128, route: Route, id_from_client: bool, position: (i32, i64)) -> Record {
        let event = VoteEvent {
            vote_id: Uuid::from_u128(id),
            id_from_client,
            vote: Vote {
                name: Name::parse("Alux Nahual".to_owned()).unwrap(),
                album: Album::parse("Conquista".to_owned()).unwrap(),
                year: Year::parse("1992").unwrap(),
                rank: Rank::parse("9").unwrap(),
            },
            route,
            received_at_us: 1,
        };
        Record {
            partition: position.0,
            offset: position.1,
            key: Some(event.vote_id.to_string().into_bytes()),
            payload: event.encode(),
            headers: Vec::new(),
            timestamp_ms: Some(1_000 - position.1),
        }
    }

    fn read(records: &[Record]) -> KafkaVotes {
        let mut votes = KafkaVotes::default();
        for record in records {
            votes.add(record, APPLIED_OFFSET, false);
        }
        votes
    }

    #[test]
    fn first_copy_is_found_by_offset_within_a_partition_and_by_timestamp_across_partitions() {
        let (rest, grpc) = (Route::Rest, Route::Grpc);
        let within = read(&[record(1, rest, true, (0, 5)), record(1, grpc, true, (0, 4))]);
        let copies = within.votes[&Uuid::from_u128(1)];
        assert_eq!(copies.key.route, grpc);
        assert!(copies.routes[rest] && copies.routes[grpc] && !copies.routes[Route::Bridge]);
        // In this case the higher offset has the earlier timestamp.
        let across = read(&[record(1, rest, true, (0, 5)), record(1, grpc, true, (1, 9))]);
        assert_eq!(across.votes[&Uuid::from_u128(1)].key.route, grpc);
        assert_eq!((across.repeats, across.counts().total), (1, 1));
    }

    #[test]
    fn only_server_generated_ids_without_replay_count_as_double() {
        let copy = |id_from_client, offset| record(1, Route::Rest, id_from_client, (0, offset));
        let mut replayed = copy(false, 2);
        let header = kafka::dead_letter::REPLAYED_HEADER.to_owned();
        replayed.headers.push((header, b"0/1".to_vec()));
        for (records, doubles) in [
            (vec![copy(false, 0)], 0),
            (vec![copy(false, 0), copy(false, 1)], 1),
            (vec![copy(false, 0), copy(true, 1)], 1),
            (vec![copy(true, 0), copy(true, 1)], 0),
            (vec![replayed.clone(), replayed], 0),
        ] {
            let copies = read(&records).votes[&Uuid::from_u128(1)];
            assert_eq!(copies.doubles(), doubles, "{records:?}");
        }
    }

    #[test]
    fn votes_beyond_the_applied_offset_and_dead_letters_are_not_counted() {
        let mut votes = read(&[record(1, Route::Rest, false, (0, APPLIED_OFFSET))]);
        votes.add(&record(2, Route::Rest, false, (0, 3)), APPLIED_OFFSET, true);
        assert!(votes.votes.is_empty() && votes.invalid.is_empty());
        assert!(
            votes.pending.contains(&Uuid::from_u128(1))
                && votes.decodable_dead_letters.contains_key(&Uuid::from_u128(2))
        );
    }

    #[test]
    fn missing_records_are_reported() {
        let snapshot = Snapshot {
            applied_offsets: BTreeMap::from([(0, 10)]),
            ..Snapshot::default()
        };
        let missing =
            |first, end| find_missing_records(&snapshot, &BTreeMap::from([(0, Extent { first, end })]));
        assert_eq!(missing(0, 12), None);
        assert!(missing(4, 12).is_some_and(|reason| reason.contains("deleted 4")));
        assert!(missing(0, 7).is_some_and(|reason| reason.contains("lost 3")));
    }
}
