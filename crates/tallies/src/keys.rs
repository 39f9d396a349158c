//! The keys in Redis. One slot (the braces): a script may touch all of them, in a cluster too.

/// String: all votes counted.
pub const TOTAL: &str = "{votes}:total";
/// Hash: band -> votes.
pub const BAND: &str = "{votes}:band";
/// Hash: "band - album" -> votes.
pub const ALBUM: &str = "{votes}:album";
/// Hash: route -> votes.
pub const ROUTE: &str = "{votes}:route";
/// Hash: partition -> its fence, the next offset to count. Of the current topic.
pub const OFFSETS: &str = "{votes}:offsets";
/// String: id of the topic that the fences belong to.
pub const TOPIC: &str = "{votes}:topic";
/// Hash: id of each topic that was ever counted -> when that began, in ms since the Unix epoch.
pub const TOPICS: &str = "{votes}:topics";
/// Hash: partition -> level of its dead-letter limit; absent where it is 0.
pub const DEAD_LETTERS: &str = "{votes}:dead_letters";
/// String: how many times the counts were corrected, so that two corrections at a time do not both count.
pub const CORRECTIONS: &str = "{votes}:corrections";
/// Prefix of a string for each id that a client chose, with a time to live: its vote is counted.
pub const SEEN_PREFIX: &str = "{votes}:seen:";
