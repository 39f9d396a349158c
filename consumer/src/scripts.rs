//! The Lua scripts that Redis runs. Each is atomic, and each begins with the shared code of checks.lua and arguments.lua.

use redis::Script;

const CHECKS: &str = include_str!("scripts/checks.lua");
const ARGUMENTS: &str = include_str!("scripts/arguments.lua");

/// Counts a batch.
pub(crate) fn tally() -> Script {
    writing(include_str!("scripts/tally.lua"))
}

/// Makes a topic the current one.
pub(crate) fn register_topic() -> Script {
    writing(include_str!("scripts/register_topic.lua"))
}

/// Reads the applied offsets.
pub(crate) fn read_applied_offsets() -> Script {
    // Redis also runs it when it rejects writes.
    with_shared_code(
        "#!lua flags=no-writes",
        include_str!("scripts/read_applied_offsets.lua"),
    )
}

/// Whether the top sets are complete.
pub(crate) fn are_top_sets_complete() -> Script {
    with_shared_code(
        "#!lua flags=no-writes",
        include_str!("scripts/are_top_sets_complete.lua"),
    )
}

/// Corrects counts.
pub(crate) fn correct_tallies() -> Script {
    writing(include_str!("scripts/correct_tallies.lua"))
}

/// Deletes broken counts.
pub(crate) fn mend_counts() -> Script {
    writing(include_str!("scripts/mend_counts.lua"))
}

/// Begins to build the top sets.
pub(crate) fn begin_top_sets() -> Script {
    writing(include_str!("scripts/begin_top_sets.lua"))
}

/// Adds fields to a top set.
pub(crate) fn offer_to_top_set() -> Script {
    writing(include_str!("scripts/offer_to_top_set.lua"))
}

/// Completes the top sets.
pub(crate) fn complete_top_sets() -> Script {
    writing(include_str!("scripts/complete_top_sets.lua"))
}

/// A script without flags: Redis does not start it if it rejects writes, for example because it is full.
fn writing(body: &str) -> Script {
    with_shared_code("#!lua", body)
}

fn with_shared_code(first_line: &str, body: &str) -> Script {
    Script::new(&format!("{first_line}\n{CHECKS}\n{ARGUMENTS}\n{body}"))
}
