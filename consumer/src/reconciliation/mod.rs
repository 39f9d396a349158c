//! Reconciliation: compares and corrects the stores while consumers keep counting.
//!
//! All stores are compared at the applied offsets. A snapshot of Redis ([`redis_tallies`]) holds counts and applied offsets
//! of the same moment. The counts must equal the records of [`kafka_votes`] and the documents of [`mongodb_votes`] below
//! these applied offsets. Later votes are ignored in all three. The sorted sets of the highest counts must equal the counts
//! of the same snapshot ([`top_set_members`]).
//!
//! [`compare`] compares the stores with each other and with the senders' ledger; [`report`] prints the result.

pub(crate) mod broken_counts;
pub(crate) mod by_route;
pub(crate) mod compare;
pub(crate) mod comparison_state;
pub(crate) mod differences;
pub(crate) mod kafka_votes;
pub(crate) mod ledger;
pub(crate) mod mongodb_votes;
mod receipts;
pub(crate) mod redis_tallies;
pub(crate) mod report;
pub(crate) mod snapshot;
pub(crate) mod tally_counts;
mod top_set_members;
pub(crate) mod topic_snapshot;
pub(crate) mod vote_key;
