//! The keys in Redis. All keys share one hash slot (the braces), so that a script may access all of them in a cluster.

/// String: all votes counted.
pub const TOTAL: &str = "{votes}:total";
/// Hash: band -> votes.
pub const BAND: &str = "{votes}:band";
/// Hash: "band - album" -> votes; see [`crate::album_field()`].
pub const ALBUM: &str = "{votes}:album";
/// Hash: route -> votes.
pub const ROUTE: &str = "{votes}:route";
/// Sorted set: the bands with the most votes.
pub const BAND_TOP: &str = "{votes}:band:top";
/// Sorted set: the albums with the most votes, as in the hash of albums.
pub const ALBUM_TOP: &str = "{votes}:album:top";
/// Sorted set: the routes by votes.
pub const ROUTE_TOP: &str = "{votes}:route:top";
/// Hash: `state` -> `complete` if the sorted sets are complete, or the id of the run that builds them; `total` -> the
/// value of [`TOTAL`] when the sorted sets were last updated. If the two differ, a program has counted votes without
/// updating the sorted sets.
pub const TOP_STATE: &str = "{votes}:top_state";
/// String with a time to live of some seconds. While it exists, no votes are counted: a command reads all counts.
pub const HOLD: &str = "{votes}:hold";
/// Hash: partition of the current topic -> applied offset, the next offset to count.
pub const OFFSETS: &str = "{votes}:offsets";
/// String: id of the current topic, to which the applied offsets belong.
pub const TOPIC: &str = "{votes}:topic";
/// Hash: id of each topic that was ever registered -> time of its registration, in ms since the Unix epoch.
pub const TOPICS: &str = "{votes}:topics";
/// Hash: partition -> level of its dead-letter limit; no field if the level is 0.
pub const DEAD_LETTERS: &str = "{votes}:dead_letters";
/// String: the number of corrections so far. It prevents two concurrent corrections from both taking effect.
pub const CORRECTIONS: &str = "{votes}:corrections";
/// Prefix of a string for each vote id that a client chose, with a time to live. The vote with this id is counted. The
/// value is a fingerprint of the vote, or 1 if an earlier version wrote it.
pub const SEEN_PREFIX: &str = "{votes}:seen:";
