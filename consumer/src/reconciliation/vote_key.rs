//! The compact key under which a vote is counted. Reconciliation holds one key in memory for each vote ever cast.

use std::collections::HashMap;

use vote::Route;

use super::tally_counts::TallyCounts;

/// The album and the route of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VoteKey {
    /// The album, by its number in [`Albums`].
    album: u32,
    /// The route.
    pub(crate) route: Route,
}

/// All albums with votes, each with a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Albums {
    numbers: HashMap<String, HashMap<String, u32>>,
    names: Vec<(String, String)>,
}

impl Albums {
    /// The key of a vote for `album` by `band`.
    pub(crate) fn vote_key(&mut self, band: &str, album: &str, route: Route) -> VoteKey {
        let known = self.numbers.get(band).and_then(|albums| albums.get(album));
        let album = known.copied().unwrap_or_else(|| self.add(band, album));
        VoteKey { album, route }
    }

    /// The band and the album of a key.
    pub(crate) fn names(&self, key: VoteKey) -> Option<(&str, &str)> {
        let (band, album) = self.names.get(key.album as usize)?;
        Some((band, album))
    }

    /// The counts of the votes with these keys.
    pub(crate) fn count(&self, keys: impl Iterator<Item = VoteKey>) -> TallyCounts {
        let mut votes_by_key: HashMap<VoteKey, i64> = HashMap::new();
        for key in keys {
            *votes_by_key.entry(key).or_default() += 1;
        }
        let mut counts = TallyCounts::default();
        for (key, votes) in votes_by_key {
            if let Some((band, album)) = self.names(key) {
                counts.add(band, album, key.route.as_str(), votes);
            }
        }
        counts
    }

    fn add(&mut self, band: &str, album: &str) -> u32 {
        let number = self.names.len() as u32;
        self.names.push((band.to_owned(), album.to_owned()));
        let albums = self.numbers.entry(band.to_owned()).or_default();
        albums.insert(album.to_owned(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn albums_with_the_same_name_by_two_bands_are_counted_separately() {
        let mut albums = Albums::default();
        let keys = [
            ("One", "Best of", Route::Rest),
            ("Other", "Best of", Route::Grpc),
            ("One", "Best of", Route::Grpc),
        ]
        .map(|(band, album, route)| albums.vote_key(band, album, route));
        let mut expected = TallyCounts::default();
        expected.add("One", "Best of", "rest", 1);
        expected.add("One", "Best of", "grpc", 1);
        expected.add("Other", "Best of", "grpc", 1);
        assert_eq!(albums.count(keys.into_iter()), expected);
    }
}
