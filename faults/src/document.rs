//! The document that holds the last figures: each part lies between two markers, and only that is written anew.

use std::path::Path;

use anyhow::{Context, Result};
use mongodb::bson::DateTime;

/// Replaces what lies between `<!-- part:begin -->` and `<!-- part:end -->` in a file.
pub fn write(path: &Path, part: &str, text: &str) -> Result<()> {
    let document = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let document = replace(&document, part, text)
        .with_context(|| format!("{} has no markers for {part}", path.display()))?;
    std::fs::write(path, document).with_context(|| format!("writing {}", path.display()))
}

/// When and where figures were taken, such as `2026-11-24, 2 cores, 24 GiB`.
pub fn circumstances() -> Result<String> {
    let now = DateTime::now()
        .try_to_rfc3339_string()
        .context("reading the clock")?;
    let date = now.split('T').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().context("counting cores")?;
    let memory = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let total_kib: u64 = memory
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse()
                .ok()
        })
        .context("/proc/meminfo has no MemTotal")?;
    Ok(format!(
        "{date}, {cores} cores, {} GiB",
        total_kib.div_ceil(1024 * 1024)
    ))
}

fn replace(document: &str, part: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {part}:begin -->");
    let (before, rest) = document.split_once(&begin)?;
    let end = format!("<!-- {part}:end -->");
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_is_replaced() {
        let document = "above\n<!-- a:begin -->old<!-- a:end -->\nbelow <!-- b:begin --><!-- b:end -->";
        assert_eq!(
            replace(document, "a", "new\n").unwrap(),
            "above\n<!-- a:begin -->\n\nnew\n\n<!-- a:end -->\nbelow <!-- b:begin --><!-- b:end -->"
        );
        assert_eq!(replace(document, "c", "new"), None);
    }
}
