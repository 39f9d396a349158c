//! The input and the state of a comparison. The steps of the comparison import this module, and it imports
//! none of them.

use std::collections::HashSet;

use serde::Serialize;
use uuid::Uuid;

use super::by_route::ByRoute;
use super::differences::{Difference, Differences, Store};
use super::kafka_votes::KafkaVotes;
use super::ledger::Ledger;
use super::mongodb_votes::MongodbVotes;
use super::snapshot::Snapshot;
use super::tally_counts::TallyCounts;

/// The contents of all stores.
#[derive(Debug)]
pub(crate) struct StoreContents {
    /// Redis.
    pub(crate) snapshot: Snapshot,
    /// Kafka.
    pub(crate) kafka: KafkaVotes,
    /// MongoDB.
    pub(crate) mongodb: MongodbVotes,
    /// The votes that senders sent, if they wrote a ledger.
    pub(crate) ledger: Option<Ledger>,
    /// The number of offsets that the topic held at the start and that are not counted yet.
    pub(crate) uncounted: i64,
}

/// Options of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompareOptions {
    /// Accept votes without a receipt, up to the number of failed sends.
    pub(crate) tolerate_failed: bool,
    /// Maximum number of votes to list for each difference.
    pub(crate) max_listed: usize,
}

/// The counts of one route. Without a ledger, `sent` and `acknowledged` are unknown, and no vote is in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RouteCounts {
    /// Votes to which this route responded, with success or failure.
    pub(crate) sent: Option<u64>,
    /// Votes with a receipt.
    pub(crate) acknowledged: Option<u64>,
    /// Distinct ids in Kafka.
    pub(crate) kafka: i64,
    /// The tally in Redis.
    pub(crate) redis: i64,
    /// Documents in MongoDB.
    pub(crate) mongo: i64,
    /// Votes that were counted without a receipt.
    pub(crate) in_doubt: u64,
    /// Votes that are missing in a store.
    pub(crate) lost: u64,
    /// Votes that are counted more than once.
    pub(crate) double: u64,
}

/// The result of a comparison.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// The counts of each route.
    pub(crate) routes: ByRoute<RouteCounts>,
    /// All differences.
    pub(crate) differences: Vec<Difference>,
    /// Further information for the reader.
    pub(crate) notes: Vec<String>,
    /// See [`StoreContents::uncounted`].
    pub(crate) uncounted: i64,
}

/// The intermediate result of a comparison.
pub(super) struct Comparison<'a> {
    pub(super) contents: &'a StoreContents,
    /// The store that holds all votes, and its counts: Kafka, or MongoDB if Kafka is incomplete.
    pub(super) reference: (Store, TallyCounts),
    pub(super) differences: Differences,
    pub(super) notes: Vec<String>,
    pub(super) routes: ByRoute<RouteCounts>,
    pub(super) missing_in_kafka: ByRoute<HashSet<Uuid>>,
    pub(super) missing_in_mongodb: ByRoute<HashSet<Uuid>>,
}
