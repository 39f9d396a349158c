//! The limits that the machine sets for a process. Two services with equal settings but different limits are not
//! comparable.

use std::collections::BTreeMap;

/// The limits of control groups (version 2), as the kernel writes them. A container sees its own limits here.
const LIMITS: [(&str, &str); 2] = [
    ("cpu_limit", "/sys/fs/cgroup/cpu.max"),
    ("memory_limit", "/sys/fs/cgroup/memory.max"),
];

/// The processors that the process may use, its limits, and its log filter.
pub(crate) fn describe() -> BTreeMap<&'static str, String> {
    let processors =
        std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |count| count.to_string());
    let limit = |path| {
        std::fs::read_to_string(path).map_or_else(|_| "none".to_owned(), |text| text.trim().to_owned())
    };
    LIMITS
        .into_iter()
        .map(|(name, path)| (name, limit(path)))
        .chain([
            ("processors", processors),
            (
                "log_filter",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()),
            ),
        ])
        .collect()
}
