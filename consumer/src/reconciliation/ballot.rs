//! What a vote counts for, in few bytes: books hold one for each vote that was ever cast.

use std::collections::HashMap;

use vote::Route;

use super::tallies::Tallies;

/// What a vote counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ballot {
    /// The album, by its number in [`Albums`].
    album: u32,
    /// The route.
    pub(crate) route: Route,
}

/// All albums that were voted for, each with a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Albums {
    numbers: HashMap<String, HashMap<String, u32>>,
    names: Vec<(String, String)>,
}

impl Albums {
    /// The ballot of a vote for `album` by `band`.
    pub(crate) fn ballot(&mut self, band: &str, album: &str, route: Route) -> Ballot {
        let known = self.numbers.get(band).and_then(|albums| albums.get(album));
        let album = known.copied().unwrap_or_else(|| self.register(band, album));
        Ballot { album, route }
    }

    /// Band and album.
    pub(crate) fn names(&self, ballot: Ballot) -> Option<(&str, &str)> {
        let (band, album) = self.names.get(ballot.album as usize)?;
        Some((band, album))
    }

    /// The counts that `ballots` make.
    pub(crate) fn tallies(&self, ballots: impl Iterator<Item = Ballot>) -> Tallies {
        let mut counts: HashMap<Ballot, i64> = HashMap::new();
        for ballot in ballots {
            *counts.entry(ballot).or_default() += 1;
        }
        let mut tallies = Tallies::default();
        for (ballot, votes) in counts {
            if let Some((band, album)) = self.names(ballot) {
                tallies.add(band, album, ballot.route.as_str(), votes);
            }
        }
        tallies
    }

    fn register(&mut self, band: &str, album: &str) -> u32 {
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
    fn ballots_of_one_name_by_two_bands_stay_apart() {
        let mut albums = Albums::default();
        let ballots = [
            ("One", "Best of", Route::Rest),
            ("Other", "Best of", Route::Grpc),
            ("One", "Best of", Route::Grpc),
        ]
        .map(|(band, album, route)| albums.ballot(band, album, route));
        let mut expected = Tallies::default();
        expected.add("One", "Best of", "rest", 1);
        expected.add("One", "Best of", "grpc", 1);
        expected.add("Other", "Best of", "grpc", 1);
        assert_eq!(albums.tallies(ballots.into_iter()), expected);
    }
}
