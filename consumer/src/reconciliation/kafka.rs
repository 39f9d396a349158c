//! The votes in Kafka below the fences, by id.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use kafka::dead_letter::{Origin, is_replayed};
use kafka::{Extent, Record};
use uuid::Uuid;
use vote::{Route, VoteEvent};

use super::ballot::{Albums, Ballot};
use super::by_route::ByRoute;
use super::redis::Snapshot;
use super::tallies::Tallies;
use crate::progress::Progress;
use crate::store_args::KafkaArgs;

/// What Kafka holds.
#[derive(Debug, Default)]
pub(crate) struct KafkaBook {
    /// Each vote that must be counted.
    pub(crate) votes: HashMap<Uuid, Copies>,
    /// Their albums.
    pub(crate) albums: Albums,
    /// Votes beyond the fences: not counted yet.
    pub(crate) pending: HashSet<Uuid>,
    /// Votes that could not be read once and can be now; counted only if they were sent again.
    pub(crate) buried: HashMap<Uuid, Route>,
    /// Further copies of votes whose client, or an operator, sent them again.
    pub(crate) repeats: u64,
    /// Records that nobody can read.
    pub(crate) unreadable: u64,
    /// Records that are not as a route writes them.
    pub(crate) odd: Vec<String>,
    /// Why Kafka does not hold all votes that were counted, if it does not.
    pub(crate) gone: Option<String>,
}

/// All copies of one vote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copies {
    /// What the first copy counts for.
    pub(crate) ballot: Ballot,
    /// When and where the first copy was written: time stamp, partition, offset.
    first: (i64, i32, i64),
    /// The routes that have written one.
    pub(crate) routes: ByRoute<bool>,
    /// Whether a client chose the id: only then may it come twice.
    pub(crate) by_client: bool,
    /// Copies under an id of our own that no operator sent again: only one is right.
    own: u32,
}

impl Copies {
    /// How often it is there without being a repeat.
    pub(crate) fn doubles(&self) -> u32 {
        let by_client = u32::from(self.by_client && self.own > 0);
        (self.own + by_client).saturating_sub(1)
    }
}

/// Reads the topic up to its fences, and further up to `extents`. Blocks.
pub(crate) fn read(
    place: &KafkaArgs,
    snapshot: &Snapshot,
    extents: &BTreeMap<i32, Extent>,
) -> Result<KafkaBook> {
    let KafkaArgs { brokers, topic, .. } = place;
    let letters = letters(place, snapshot)?;
    let mut book = KafkaBook::default();
    let ends: BTreeMap<i32, i64> = extents
        .iter()
        .map(|(&partition, extent)| (partition, extent.end.max(snapshot.fence(partition))))
        .collect();
    let all: i64 = ends.values().sum();
    let (mut progress, mut seen) = (Progress::new("reading Kafka"), 0_u64);
    kafka::scan_until(brokers, topic, &ends, |record| {
        seen += 1;
        progress.at(|| format!("{seen} of {all} records"));
        let is_letter = letters.contains(&(record.partition, record.offset));
        book.add(record, snapshot.fence(record.partition), is_letter);
    })
    .with_context(|| format!("reading the topic {topic}"))?;
    // Asked for afterwards: what is there now was there all the time.
    let extents = kafka::extents(brokers, topic).context("asking Kafka what it holds")?;
    book.gone = gone(snapshot, &extents);
    Ok(book)
}

impl KafkaBook {
    /// The counts that these votes make.
    pub(crate) fn tallies(&self) -> Tallies {
        self.albums
            .tallies(self.votes.values().map(|copies| copies.ballot))
    }

    fn add(&mut self, record: &Record, fence: i64, is_letter: bool) {
        let Ok(event) = VoteEvent::decode(&record.payload) else {
            self.unreadable += 1;
            return;
        };
        let id = event.vote_id;
        if record.offset >= fence {
            self.pending.insert(id);
            return;
        }
        if is_letter {
            self.buried.insert(id, event.route);
            return;
        }
        let (partition, offset) = (record.partition, record.offset);
        if record.key.as_deref() != Some(id.to_string().as_bytes()) {
            let place = format!("Kafka record {partition}/{offset}");
            self.odd
                .push(format!("{place}: the key is not the vote's id {id}"));
        }
        let ballot = self
            .albums
            .ballot(event.vote.name.as_str(), event.vote.album.as_str(), event.route);
        let own = !event.client_id && !is_replayed(record);
        let written = (record.timestamp_ms.unwrap_or_default(), partition, offset);
        let copies = self
            .votes
            .entry(id)
            .and_modify(|_| self.repeats += u64::from(!own))
            .or_insert(Copies {
                ballot,
                first: written,
                routes: ByRoute::default(),
                by_client: false,
                own: 0,
            });
        copies.routes[event.route] = true;
        copies.by_client |= event.client_id;
        copies.own += u32::from(own);
        // Copies meet in one partition, where offsets tell; unless partitions were added in between.
        let (_, first_partition, first_offset) = copies.first;
        let is_earlier = if partition == first_partition {
            offset < first_offset
        } else {
            written < copies.first
        };
        if is_earlier {
            (copies.first, copies.ballot) = (written, ballot);
        }
    }
}

/// The places of the current topic's records that are dead letters: each counts when it is sent again, if ever.
fn letters(place: &KafkaArgs, snapshot: &Snapshot) -> Result<HashSet<(i32, i64)>> {
    let since = snapshot.counted_since_ms().unwrap_or_default();
    let mut places = HashSet::new();
    kafka::scan(&place.brokers, &place.dead_letter_topic, |letter| {
        // A topic of the same name may have been there before: its letters are older.
        let is_current = letter.timestamp_ms.is_some_and(|written| written >= since);
        if let Some(origin) = Origin::of(letter).filter(|origin| is_current && origin.topic == place.topic) {
            places.insert((origin.partition, origin.offset));
        }
    })
    .with_context(|| format!("reading the topic {}", place.dead_letter_topic))?;
    Ok(places)
}

fn gone(snapshot: &Snapshot, extents: &BTreeMap<i32, Extent>) -> Option<String> {
    let earlier = snapshot.topics.len().saturating_sub(1);
    if earlier > 0 {
        return Some(format!(
            "the topic was made anew, so Kafka lacks the votes of earlier topics of its name ({earlier})"
        ));
    }
    let deleted: i64 = extents.values().map(|extent| extent.first).sum();
    if deleted > 0 {
        return Some(format!("retention has deleted {deleted} records from Kafka"));
    }
    let cut_off: i64 = snapshot
        .fences
        .iter()
        .map(|(partition, fence)| fence - extents.get(partition).map_or(0, |extent| extent.end))
        .filter(|missing| *missing > 0)
        .sum();
    (cut_off > 0).then(|| format!("Kafka has lost {cut_off} records that were counted"))
}

#[cfg(test)]
mod tests {
    use vote::{Album, Name, Rank, Vote, Year};

    use super::*;

    const FENCE: i64 = 100;

    fn record(id: u128, route: Route, client_id: bool, place: (i32, i64)) -> Record {
        let event = VoteEvent {
            vote_id: Uuid::from_u128(id),
            client_id,
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
            partition: place.0,
            offset: place.1,
            key: Some(event.vote_id.to_string().into_bytes()),
            payload: event.encode(),
            headers: Vec::new(),
            timestamp_ms: Some(1_000 - place.1),
        }
    }

    fn book(records: &[Record]) -> KafkaBook {
        let mut book = KafkaBook::default();
        for record in records {
            book.add(record, FENCE, false);
        }
        book
    }

    #[test]
    fn the_first_copy_counts_within_a_partition_by_offset_and_across_by_time() {
        let (rest, grpc) = (Route::Rest, Route::Grpc);
        let within = book(&[record(1, rest, true, (0, 5)), record(1, grpc, true, (0, 4))]);
        let copies = within.votes[&Uuid::from_u128(1)];
        assert_eq!(copies.ballot.route, grpc);
        assert!(copies.routes[rest] && copies.routes[grpc] && !copies.routes[Route::Bridge]);
        // Here the higher offset has the earlier time stamp.
        let across = book(&[record(1, rest, true, (0, 5)), record(1, grpc, true, (1, 9))]);
        assert_eq!(across.votes[&Uuid::from_u128(1)].ballot.route, grpc);
        assert_eq!((across.repeats, across.tallies().total), (1, 1));
    }

    #[test]
    fn only_an_id_that_nobody_may_repeat_is_double() {
        let copy = |client_id, offset| record(1, Route::Rest, client_id, (0, offset));
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
            let copies = book(&records).votes[&Uuid::from_u128(1)];
            assert_eq!(copies.doubles(), doubles, "{records:?}");
        }
    }

    #[test]
    fn what_lies_beyond_the_fence_or_in_the_dead_letters_is_not_counted() {
        let mut book = book(&[record(1, Route::Rest, false, (0, FENCE))]);
        book.add(&record(2, Route::Rest, false, (0, 3)), FENCE, true);
        assert!(book.votes.is_empty() && book.odd.is_empty());
        assert!(book.pending.contains(&Uuid::from_u128(1)) && book.buried.contains_key(&Uuid::from_u128(2)));
    }

    #[test]
    fn kafka_that_does_not_hold_everything_says_so() {
        let snapshot = Snapshot {
            fences: BTreeMap::from([(0, 10)]),
            ..Snapshot::default()
        };
        let gone = |first, end| gone(&snapshot, &BTreeMap::from([(0, Extent { first, end })]));
        assert_eq!(gone(0, 12), None);
        assert!(gone(4, 12).is_some_and(|reason| reason.contains("deleted 4")));
        assert!(gone(0, 7).is_some_and(|reason| reason.contains("lost 3")));
    }
}
