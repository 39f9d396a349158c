//! The hashes that count votes, and the field of each hash that a vote increments.
//!
//! To count votes by another property, add a variant here. The consumer's scripts, `consumer reconcile` and
//! `consumer rebuild` take their hashes from [`TallyHash::ALL`].

use crate::album_field::album_field;
use crate::keys;

/// The maximum number of members of a top set: the fields of a hash with the highest counts.
///
/// Clients choose the names of bands and albums, so a hash may have any number of fields. Readers therefore never read a
/// whole hash, but its top set.
pub const TOP_SIZE: usize = 1_000;

/// A hash in Redis that counts votes by one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TallyHash {
    /// Votes by band.
    Band,
    /// Votes by album, together with its band.
    Album,
    /// Votes by route.
    Route,
}

impl TallyHash {
    /// All hashes, in the order in which scripts receive them.
    pub const ALL: [Self; 3] = [Self::Band, Self::Album, Self::Route];

    /// The key of the hash.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Band => keys::BAND,
            Self::Album => keys::ALBUM,
            Self::Route => keys::ROUTE,
        }
    }

    /// The key of the sorted set with the highest counts of the hash; see [`TOP_SIZE`].
    pub const fn top_key(self) -> &'static str {
        match self {
            Self::Band => keys::BAND_TOP,
            Self::Album => keys::ALBUM_TOP,
            Self::Route => keys::ROUTE_TOP,
        }
    }

    /// The field that a vote for `album` by `band`, sent through `route`, increments.
    pub fn field(self, band: &str, album: &str, route: &str) -> String {
        match self {
            Self::Band => band.to_owned(),
            Self::Album => album_field(band, album),
            Self::Route => route.to_owned(),
        }
    }
}
