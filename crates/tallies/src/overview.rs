//! The counts that a page shows: the total, the routes, and the bands and albums with the most votes.

use redis::RedisResult;
use redis::aio::ConnectionLike;

use crate::TOP_SIZE;
use crate::album_field::{AlbumName, parse_album_field};
use crate::hash::TallyHash;
use crate::keys::TOTAL;

/// Names with their votes, highest count first, equal counts in alphabetical order.
pub type Votes = Vec<(String, u64)>;

/// An album with its votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlbumVotes {
    /// The field of the hash, which is unique.
    pub field: String,
    /// The band and the album.
    pub name: AlbumName,
    /// The votes.
    pub votes: u64,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// All votes.
    pub total: u64,
    /// The bands with the most votes.
    pub bands: Votes,
    /// The number of all bands.
    pub band_count: usize,
    /// The albums with the most votes, highest count first.
    pub albums: Vec<AlbumVotes>,
    /// The number of all albums.
    pub album_count: usize,
    /// The routes.
    pub routes: Votes,
}

/// Pairs of a name and its count, as Redis returns them.
type Pairs = Vec<(String, String)>;

impl Overview {
    /// Reads the counts atomically, with at most `bands` bands and `albums` albums. The time does not depend on the number
    /// of bands and albums with votes.
    pub async fn read(
        connection: &mut impl ConnectionLike,
        bands: usize,
        albums: usize,
    ) -> RedisResult<Self> {
        let mut query = redis::pipe();
        // Atomic, so that the sums over bands and over routes are equal.
        query.atomic().get(TOTAL);
        for (hash, count) in [(TallyHash::Band, bands), (TallyHash::Album, albums)] {
            // Redis includes the last index, and counts an index below 0 from the end.
            let last = count.clamp(1, TOP_SIZE) - 1;
            query
                .cmd("ZREVRANGE")
                .arg(hash.top_key())
                .arg(0)
                .arg(last)
                .arg("WITHSCORES");
            query.hlen(hash.key());
        }
        // Clients do not choose the routes: there are three.
        query.hgetall(TallyHash::Route.key());
        let (total, top_bands, band_count, top_albums, album_count, routes): (
            Option<u64>,
            Pairs,
            usize,
            Pairs,
            usize,
            Pairs,
        ) = query.query_async(connection).await?;
        let top_bands = complete(connection, TallyHash::Band, top_bands, band_count, bands).await?;
        let top_albums = complete(connection, TallyHash::Album, top_albums, album_count, albums).await?;
        Ok(Self {
            total: total.unwrap_or_default(),
            bands: sorted(top_bands, bands),
            band_count,
            albums: sorted(top_albums, albums).into_iter().map(album_votes).collect(),
            album_count,
            routes: sorted(routes, usize::MAX),
        })
    }
}

/// The given members of the top set of `hash`. If members are missing because no consumer has built the set yet, reads the
/// hash instead, but only if it is small.
async fn complete(
    connection: &mut impl ConnectionLike,
    hash: TallyHash,
    top: Pairs,
    fields: usize,
    wanted: usize,
) -> RedisResult<Pairs> {
    if top.len() >= fields.min(wanted).min(TOP_SIZE) || fields > TOP_SIZE {
        return Ok(top);
    }
    redis::cmd("HGETALL")
        .arg(hash.key())
        .query_async(connection)
        .await
}

fn album_votes((field, votes): (String, u64)) -> AlbumVotes {
    let name = parse_album_field(&field).unwrap_or_else(|| AlbumName {
        band: field.clone(),
        album: String::new(),
    });
    AlbumVotes { field, name, votes }
}

/// Sorts by count, highest first. Equal counts are sorted by name, so that the order on a page is stable. Omits counts that
/// are not numbers: the consumer reports them.
fn sorted(pairs: Pairs, limit: usize) -> Votes {
    let votes = pairs
        .into_iter()
        .filter_map(|(name, votes)| Some((name, votes.parse().ok()?)));
    let mut votes: Votes = votes.collect();
    votes.sort_by(|(one, ones), (other, others)| others.cmp(ones).then_with(|| one.cmp(other)));
    votes.truncate(limit);
    votes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_sorted_by_size_then_by_name_and_limited() {
        let pairs = [("c", "1"), ("a", "1"), ("b", "5"), ("x", "foo")];
        let sorted = sorted(
            pairs
                .map(|(name, votes)| (name.to_owned(), votes.to_owned()))
                .into(),
            2,
        );
        assert_eq!(sorted, [("b".to_owned(), 5), ("a".to_owned(), 1)]);
    }
}
