//! Generates votes and sends them, and computes the contents that the stores must have afterwards.

use std::collections::{BTreeMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use kafka::{Record, RecordWriter};
use uuid::Uuid;
use vote::{Album, Name, Rank, Route, Vote, VoteEvent, Year};

const BANDS: [(&str, &str); 5] = [
    ("Bohemia Suburbana", "Sombras en el Jardín"),
    ("Alux Nahual", "Conquista"),
    ("Viernes Verde", "Bronca"),
    ("Malacates Trébol Shop", "Paquetecuetes"),
    ("Ricardo Andrade", "10,000 metros sobre la tierra"),
];

/// The tallies in Redis: the total and the three hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    pub(crate) total: u64,
    pub(crate) band: BTreeMap<String, u64>,
    pub(crate) album: BTreeMap<String, u64>,
    pub(crate) route: BTreeMap<String, u64>,
}

/// A random vote. `chosen_id` is its id if the client chose it; None generates an id.
pub(crate) fn event(random: &mut fastrand::Rng, chosen_id: Option<Uuid>) -> VoteEvent {
    let (name, album) = BANDS[random.usize(..BANDS.len())];
    let micros = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_micros();
    VoteEvent {
        vote_id: chosen_id.unwrap_or_else(|| Uuid::from_u128(random.u128(..))),
        id_from_client: chosen_id.is_some(),
        vote: Vote {
            name: Name::parse(name.to_owned()).unwrap(),
            album: Album::parse(album.to_owned()).unwrap(),
            year: Year::parse("1997").unwrap(),
            rank: Rank::parse("9.5").unwrap(),
        },
        route: Route::ALL[random.usize(..Route::ALL.len())],
        received_at_us: i64::try_from(micros).unwrap(),
    }
}

/// Random votes. A third of them have ids that clients chose, and a third of those occur twice, possibly by another route.
pub(crate) fn mixed(random: &mut fastrand::Rng, count: usize) -> Vec<VoteEvent> {
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        let chosen_id = (random.u8(..3) == 0).then(|| Uuid::from_u128(random.u128(..)));
        events.push(event(random, chosen_id));
        if chosen_id.is_some() && random.u8(..3) == 0 {
            events.push(event(random, chosen_id));
        }
    }
    events
}

/// The tallies after `events`. Each id counts once, with its first vote.
pub(crate) fn expected<'a>(events: impl IntoIterator<Item = &'a VoteEvent>) -> Tallies {
    let mut seen = HashSet::new();
    let mut tallies = Tallies::default();
    for event in events {
        if !seen.insert(event.vote_id) {
            continue;
        }
        let (name, album) = (event.vote.name.as_str(), event.vote.album.as_str());
        tallies.total += 1;
        *tallies.band.entry(name.to_owned()).or_default() += 1;
        *tallies.album.entry(format!("{name} - {album}")).or_default() += 1;
        *tallies.route.entry(event.route.as_str().to_owned()).or_default() += 1;
    }
    tallies
}

pub(crate) fn record(event: &VoteEvent) -> Record {
    raw_record(event.vote_id.to_string().as_bytes(), &event.clone().encode())
}

pub(crate) fn raw_record(key: &[u8], payload: &[u8]) -> Record {
    Record {
        partition: 0,
        offset: 0,
        key: Some(key.to_vec()),
        payload: payload.to_vec(),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Writes `events`. Votes with the same id keep their order.
pub(crate) async fn send(writer: &RecordWriter, events: &[VoteEvent]) {
    send_at_once(writer, events, 1_000).await;
}

/// [`send`] with this many records in flight: the more there are, the more records a batch of Kafka has.
pub(crate) async fn send_at_once(writer: &RecordWriter, events: &[VoteEvent], in_flight: usize) {
    let acknowledgements = events
        .iter()
        .map(|event| async { writer.write(&record(event)).await.map(drop) });
    // `buffered` polls the writes in order, and a write enters the producer's queue at its first poll.
    stream::iter(acknowledgements)
        .buffered(in_flight)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
}
