//! The keys in Redis. All keys share one hash slot (the braces), so that a script may access all of them in a cluster.

/// String: all votes counted.
pub const TOTAL: &str = "{votes}:total";
/// Hash: band -> votes.
pub const BAND: &str = "{votes}:band";
/// Hash: "band - album" -> votes.
pub const ALBUM: &str = "{votes}:album";
/// Hash: route -> votes.
pub const ROUTE: &str = "{votes}:route";
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
/// Prefix of a string for each vote id that a client chose, with a time to live. The vote with this id is counted.
pub const SEEN_PREFIX: &str = "{votes}:seen:";
