//! The books: what each store holds, read at one and the same place, so that stores which are still being written to
//! can be compared exactly and corrected.
//!
//! That place is the fences. A snapshot of Redis ([`redis`]) holds counts and fences of one moment; the records of
//! [`kafka`] below these fences, and the documents of [`mongodb`] that lie below them, are exactly what those counts
//! must be. What comes later is in none of the three.

pub(crate) mod ballot;
pub(crate) mod by_route;
pub(crate) mod catch_up;
pub(crate) mod compare;
pub(crate) mod difference;
pub(crate) mod kafka;
pub(crate) mod ledger;
pub(crate) mod mongodb;
mod receipts;
pub(crate) mod redis;
pub(crate) mod report;
pub(crate) mod tallies;
