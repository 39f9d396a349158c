//! Counts as Redis keeps them.

use std::collections::BTreeMap;

use tallies::keys;

/// Votes by field of a hash.
pub(crate) type Counts = BTreeMap<String, i64>;

/// Total and the three hashes; of a difference, what must be added to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies {
    /// All votes.
    pub(crate) total: i64,
    /// Band -> votes.
    pub(crate) band: Counts,
    /// "band - album" -> votes.
    pub(crate) album: Counts,
    /// Route -> votes.
    pub(crate) route: Counts,
}

impl Tallies {
    /// Counts `votes` votes for one album by one route.
    pub(crate) fn add(&mut self, band: &str, album: &str, route: &str, votes: i64) {
        self.total += votes;
        for (counts, field) in [
            (&mut self.band, band.to_owned()),
            (&mut self.album, format!("{band} - {album}")),
            (&mut self.route, route.to_owned()),
        ] {
            *counts.entry(field).or_default() += votes;
        }
    }

    /// What must be added to `held` to make it this; fields that agree are left out.
    pub(crate) fn minus(&self, held: &Self) -> Self {
        Self {
            total: self.total - held.total,
            band: minus(&self.band, &held.band),
            album: minus(&self.album, &held.album),
            route: minus(&self.route, &held.route),
        }
    }

    /// Whether there is nothing to add.
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The hashes with their keys.
    pub(crate) fn hashes(&self) -> [(&'static str, &Counts); 3] {
        [
            (keys::BAND, &self.band),
            (keys::ALBUM, &self.album),
            (keys::ROUTE, &self.route),
        ]
    }

    /// Votes for the route of this name.
    pub(crate) fn of_route(&self, route: vote::Route) -> i64 {
        self.route.get(route.as_str()).copied().unwrap_or_default()
    }
}

fn minus(wanted: &Counts, held: &Counts) -> Counts {
    let mut difference = wanted.clone();
    for (field, count) in held {
        *difference.entry(field.clone()).or_default() -= count;
    }
    difference.retain(|_, count| *count != 0);
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_short_what_is_over_and_what_is_unknown() {
        let mut wanted = Tallies::default();
        wanted.add("Alux Nahual", "Conquista", "rest", 3);
        wanted.add("Viernes Verde", "Bronca", "grpc", 1);
        let mut held = Tallies::default();
        held.add("Alux Nahual", "Conquista", "rest", 1);
        held.add("Nobody", "Nothing", "grpc", 1);
        let difference = wanted.minus(&held);
        let counts = |pairs: &[(&str, i64)]| {
            let owned = pairs.iter().map(|(field, count)| ((*field).to_owned(), *count));
            owned.collect::<Counts>()
        };
        assert_eq!(difference.total, 2);
        assert_eq!(
            difference.band,
            counts(&[("Alux Nahual", 2), ("Nobody", -1), ("Viernes Verde", 1)])
        );
        assert_eq!(difference.route, counts(&[("rest", 2)]));
        assert!(wanted.minus(&wanted).is_zero() && !difference.is_zero());
    }
}
