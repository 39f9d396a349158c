//! The members of the top sets ([`crate::top_sets`]) at the moment of a snapshot, and how they differ from the hashes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use redis::{FromRedisValue, Pipeline, Value};
use tallies::keys::TOP_STATE;
use tallies::{TOP_SIZE, TallyHash};

use super::tally_counts::{HashCounts, TallyCounts};

/// Members with their scores, as Redis returns them.
type Scores = BTreeMap<String, String>;

/// The members of the top sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopSetMembers {
    sets: Vec<(TallyHash, Scores)>,
    /// Whether the sets are marked as complete. Others are being built, or will be.
    pub(crate) is_complete: bool,
}

impl TopSetMembers {
    /// Adds the commands that read the sets of `hashes` and their state.
    pub(super) fn add_commands(query: &mut Pipeline, hashes: &[TallyHash]) {
        query.cmd("HMGET").arg(TOP_STATE).arg("state").arg("total");
        for hash in hashes {
            query
                .cmd("ZRANGE")
                .arg(hash.top_key())
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES");
        }
    }

    /// Reads the replies to [`Self::add_commands`]. `total` is the total at the same moment.
    pub(super) fn parse(
        replies: &mut impl Iterator<Item = Value>,
        hashes: &[TallyHash],
        total: i64,
    ) -> Result<Self> {
        let (state, total_of_state): (Option<String>, Option<String>) = next(replies, TOP_STATE)?;
        let mut sets = Vec::new();
        for &hash in hashes {
            // Another program may have added bytes that are not text.
            let members: Vec<(Vec<u8>, String)> = next(replies, hash.top_key())?;
            let text =
                |(member, score): (Vec<u8>, String)| (String::from_utf8_lossy(&member).into_owned(), score);
            sets.push((hash, members.into_iter().map(text).collect()));
        }
        Ok(Self {
            sets,
            is_complete: state.as_deref() == Some("complete") && total_of_state == Some(total.to_string()),
        })
    }

    /// A sentence for each member that a set lacks, has in excess, or has with another count than the hash.
    pub(crate) fn differences(&self, counts: &TallyCounts) -> Vec<String> {
        let mut sentences = Vec::new();
        for (hash, found) in &self.sets {
            let Some((_, counts)) = counts.iter().find(|(other, _)| other == hash) else {
                continue;
            };
            let expected = highest(counts);
            let members: BTreeSet<&str> = expected
                .keys()
                .copied()
                .chain(found.keys().map(String::as_str))
                .collect();
            for member in members {
                let (found, expected) = (found.get(member), expected.get(member));
                if !is_equal(found, expected) {
                    let found = found.map_or("none", String::as_str);
                    let expected = expected.map_or_else(|| "none".to_owned(), i64::to_string);
                    let (set, hash) = (hash.top_key(), hash.key());
                    sentences.push(format!(
                        "{set}, member {member}: found {found}, expected {expected} from {hash}"
                    ));
                }
            }
        }
        sentences
    }
}

/// The members that the top set must have: the fields with the highest counts. Of equal counts, Redis keeps the fields
/// that are last in the order of their bytes.
fn highest(counts: &HashCounts) -> BTreeMap<&str, i64> {
    let mut highest: Vec<(i64, &str)> = counts
        .iter()
        .map(|(field, count)| (*count, field.as_str()))
        .collect();
    if highest.len() > TOP_SIZE {
        highest.select_nth_unstable_by(TOP_SIZE, |one, other| other.cmp(one));
        highest.truncate(TOP_SIZE);
    }
    highest.into_iter().map(|(count, field)| (field, count)).collect()
}

fn is_equal(found: Option<&String>, expected: Option<&i64>) -> bool {
    match (found, expected) {
        (Some(found), Some(&expected)) => found
            .parse()
            .is_ok_and(|score: f64| score.total_cmp(&(expected as f64)).is_eq()),
        (None, None) => true,
        _ => false,
    }
}

fn next<T: FromRedisValue>(replies: &mut impl Iterator<Item = Value>, key: &'static str) -> Result<T> {
    let reply = replies.next().context("Redis returned too few replies")?;
    redis::from_redis_value(reply).context(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(set: &[(&str, &str)]) -> TopSetMembers {
        let owned = |(member, score): &(&str, &str)| ((*member).to_owned(), (*score).to_owned());
        TopSetMembers {
            sets: vec![(TallyHash::Band, set.iter().map(owned).collect())],
            is_complete: true,
        }
    }

    fn counts(fields: &[(&str, i64)]) -> TallyCounts {
        let mut counts = TallyCounts::default();
        let owned = |(field, count): &(&str, i64)| ((*field).to_owned(), *count);
        counts.set(TallyHash::Band, fields.iter().map(owned).collect());
        counts
    }

    #[test]
    fn each_kind_of_difference_names_key_member_and_both_numbers() {
        let counts = counts(&[("equal", 5), ("missing", 7), ("wrong", 9)]);
        let found = members(&[("equal", "5"), ("surplus", "1.5"), ("wrong", "8")]);
        assert_eq!(
            found.differences(&counts),
            [
                "{votes}:band:top, member missing: found none, expected 7 from {votes}:band",
                "{votes}:band:top, member surplus: found 1.5, expected none from {votes}:band",
                "{votes}:band:top, member wrong: found 8, expected 9 from {votes}:band",
            ]
        );
    }

    #[test]
    fn scores_are_compared_as_numbers() {
        let largest = (1_i64 << 53) - 1;
        let counts = counts(&[("a", largest), ("b", 10)]);
        let found = members(&[("a", "9.007199254740991e+15"), ("b", "10")]);
        assert!(found.differences(&counts).is_empty());
        let found = members(&[("a", "9007199254740990"), ("b", "inf")]);
        assert_eq!(found.differences(&counts).len(), 2);
    }

    #[test]
    fn only_the_highest_counts_belong_to_the_set() {
        let names: Vec<String> = (0..TOP_SIZE + 2).map(|number| format!("{number:04}")).collect();
        // All counts are equal: the last ones in the order of bytes remain.
        let fields: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let highest: Vec<(&str, &str)> = names.iter().skip(2).map(|name| (name.as_str(), "1")).collect();
        assert!(members(&highest).differences(&counts(&fields)).is_empty());
        let lowest: Vec<(&str, &str)> = names
            .iter()
            .take(TOP_SIZE)
            .map(|name| (name.as_str(), "1"))
            .collect();
        assert_eq!(members(&lowest).differences(&counts(&fields)).len(), 4);
    }
}
