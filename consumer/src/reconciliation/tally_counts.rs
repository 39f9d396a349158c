//! Counts in the form in which Redis keeps them.

use std::collections::BTreeMap;

use tallies::TallyHash;

/// Votes by field of a hash.
pub(crate) type HashCounts = BTreeMap<String, i64>;

/// The total and the counts of each hash. For a correction, the number to add to each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyCounts {
    /// All votes.
    pub(crate) total: i64,
    /// Votes by field, in the order of [`TallyHash::ALL`].
    pub(crate) hashes: [HashCounts; TallyHash::ALL.len()],
}

impl TallyCounts {
    /// Counts `votes` votes for one album that came by one route.
    pub(crate) fn add(&mut self, band: &str, album: &str, route: &str, votes: i64) {
        self.total += votes;
        for (hash, counts) in TallyHash::ALL.iter().zip(&mut self.hashes) {
            *counts.entry(hash.field(band, album, route)).or_default() += votes;
        }
    }

    /// The correction from `actual` to these counts. Contains only the fields that differ.
    pub(crate) fn minus(&self, actual: &Self) -> Self {
        let mut hashes = self.hashes.clone();
        for (difference, actual) in hashes.iter_mut().zip(&actual.hashes) {
            subtract(difference, actual);
        }
        Self {
            total: self.total - actual.total,
            hashes,
        }
    }

    /// Whether all counts are 0.
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The hashes with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TallyHash, &HashCounts)> {
        TallyHash::ALL.into_iter().zip(&self.hashes)
    }

    /// Replaces the counts of one hash.
    pub(crate) fn set(&mut self, hash: TallyHash, counts: HashCounts) {
        let mut of_hash = TallyHash::ALL.into_iter().zip(&mut self.hashes);
        if let Some((_, of_hash)) = of_hash.find(|(other, _)| *other == hash) {
            *of_hash = counts;
        }
    }

    /// Splits these counts into parts with at most `max_fields` fields each. The first part has the total.
    pub(crate) fn parts(&self, max_fields: usize) -> Vec<Self> {
        let mut parts = vec![Self {
            total: self.total,
            ..Self::default()
        }];
        let mut fields = 0;
        for (index, counts) in self.hashes.iter().enumerate() {
            for (field, &count) in counts {
                if fields == max_fields {
                    parts.push(Self::default());
                    fields = 0;
                }
                fields += 1;
                let last = parts.last_mut().and_then(|part| part.hashes.get_mut(index));
                if let Some(part) = last {
                    part.insert(field.clone(), count);
                }
            }
        }
        parts
    }

    /// The votes of a route.
    pub(crate) fn of_route(&self, route: vote::Route) -> i64 {
        let counts = self.iter().find(|(hash, _)| *hash == TallyHash::Route);
        let votes = counts.and_then(|(_, counts)| counts.get(route.as_str()));
        votes.copied().unwrap_or_default()
    }
}

fn subtract(counts: &mut HashCounts, subtracted: &HashCounts) {
    for (field, count) in subtracted {
        *counts.entry(field.clone()).or_default() -= count;
    }
    counts.retain(|_, count| *count != 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correction_contains_every_field_that_is_too_low_too_high_or_unknown() {
        let mut expected = TallyCounts::default();
        expected.add("Alux Nahual", "Conquista", "rest", 3);
        expected.add("Viernes Verde", "Bronca", "grpc", 1);
        let mut actual = TallyCounts::default();
        actual.add("Alux Nahual", "Conquista", "rest", 1);
        actual.add("Unknown Band", "Unknown Album", "grpc", 1);
        let correction = expected.minus(&actual);
        let counts = |pairs: &[(&str, i64)]| {
            let owned = pairs.iter().map(|(field, count)| ((*field).to_owned(), *count));
            owned.collect::<HashCounts>()
        };
        assert_eq!(correction.total, 2);
        let [band, _, route] = &correction.hashes;
        assert_eq!(
            *band,
            counts(&[("Alux Nahual", 2), ("Unknown Band", -1), ("Viernes Verde", 1)])
        );
        assert_eq!(*route, counts(&[("rest", 2)]));
        assert!(expected.minus(&expected).is_zero() && !correction.is_zero());
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut whole = TallyCounts::default();
        for band in 0..10 {
            whole.add(&format!("band {band}"), "album", "rest", band + 1);
        }
        let parts = whole.parts(4);
        let fields = |part: &TallyCounts| part.hashes.iter().map(HashCounts::len).sum::<usize>();
        assert_eq!(parts.iter().map(fields).collect::<Vec<_>>(), [4, 4, 4, 4, 4, 1]);
        let mut rest = whole.clone();
        for part in &parts {
            rest = rest.minus(part);
        }
        assert!(rest.is_zero(), "{rest:?}");
        let total_only = TallyCounts {
            total: 1,
            ..TallyCounts::default()
        };
        assert_eq!(total_only.parts(4), [total_only]);
    }
}
