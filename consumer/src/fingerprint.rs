//! The fingerprint of a vote, by which a repeated id with another vote is detected.

use sha2::{Digest, Sha256};
use vote::Vote;

/// 63 bits of a hash of the fields that the client chose. Redis keeps an integer in less memory than a text. The route is
/// not part of it: a client may retry by another route.
pub(crate) fn fingerprint(vote: &Vote) -> i64 {
    let mut hash = Sha256::new();
    let (year, rank) = (vote.year.to_string(), vote.rank.to_string());
    for field in [vote.name.as_str(), vote.album.as_str(), &year, &rank] {
        // The length separates the fields.
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    for (byte, hashed) in first.iter_mut().zip(digest) {
        *byte = hashed;
    }
    // 0 and 1 are not fingerprints: an earlier version stored 1 for every vote.
    (i64::from_be_bytes(first) & i64::MAX).max(2)
}

#[cfg(test)]
mod tests {
    use vote::{Album, Name, Rank, Year};

    use super::*;

    fn vote(name: &str, album: &str, year: &str, rank: &str) -> Vote {
        Vote {
            name: Name::parse(name.to_owned()).unwrap(),
            album: Album::parse(album.to_owned()).unwrap(),
            year: Year::parse(year).unwrap(),
            rank: Rank::parse(rank).unwrap(),
        }
    }

    #[test]
    fn every_field_changes_the_fingerprint() {
        let votes = [
            vote("A", "BC", "1997", "9"),
            vote("AB", "C", "1997", "9"),
            vote("A", "BC", "1998", "9"),
            vote("A", "BC", "1997", "9.5"),
        ];
        let fingerprints: std::collections::HashSet<_> = votes.iter().map(fingerprint).collect();
        assert_eq!(fingerprints.len(), votes.len());
    }

    /// Redis keeps fingerprints for a day, so another version of the consumer reads them.
    #[test]
    fn fingerprint_does_not_change_between_versions() {
        assert_eq!(
            fingerprint(&vote("A", "BC", "1997", "9")),
            3_663_089_132_568_825_828
        );
    }
}
