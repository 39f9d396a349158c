//! The votes of a batch by band, album and route. A batch has many votes and few different albums, so that counting them first
//! saves work in Redis and in the metrics.

use std::collections::HashMap;

use vote::Route;

use crate::batch::VoteAtOffset;

/// What a vote increments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VoteGroup<'a> {
    /// The band.
    pub(crate) band: &'a str,
    /// The album.
    pub(crate) album: &'a str,
    /// The route.
    pub(crate) route: Route,
}

/// The votes of a batch.
#[derive(Debug, Default)]
pub struct VoteGroups<'a> {
    /// The number of votes of each group that cannot be counted already: their ids are from the service.
    pub(crate) new: HashMap<VoteGroup<'a>, u64>,
    /// The votes that may be counted already, with their index in the batch, in ascending order.
    pub(crate) may_be_counted: Vec<(usize, &'a VoteAtOffset)>,
}

impl<'a> VoteGroup<'a> {
    /// The group of a vote.
    pub(crate) fn of(vote: &'a VoteAtOffset) -> Self {
        Self {
            band: vote.event.vote.name.as_str(),
            album: vote.event.vote.album.as_str(),
            route: vote.event.route,
        }
    }
}

impl<'a> VoteGroups<'a> {
    /// Groups votes.
    pub fn of(votes: &'a [VoteAtOffset]) -> Self {
        let mut groups = Self::default();
        for (index, vote) in votes.iter().enumerate() {
            if vote.may_be_counted() {
                groups.may_be_counted.push((index, vote));
            } else {
                *groups.new.entry(VoteGroup::of(vote)).or_default() += 1;
            }
        }
        groups
    }

    /// The number of votes that cannot be counted already.
    pub(crate) fn new_votes(&self) -> u64 {
        self.new.values().sum()
    }

    /// The number of votes of each group that were counted now. `duplicates` are the ascending indices of the votes that were
    /// already counted.
    pub(crate) fn counted(&self, duplicates: &[usize]) -> HashMap<VoteGroup<'a>, u64> {
        let mut counted = self.new.clone();
        for (index, vote) in &self.may_be_counted {
            if duplicates.binary_search(index).is_err() {
                *counted.entry(VoteGroup::of(vote)).or_default() += 1;
            }
        }
        counted
    }
}
