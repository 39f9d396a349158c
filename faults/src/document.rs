//! Writes results into a document: replaces the text between two markers and leaves the rest unchanged.

use std::path::Path;

use anyhow::{Context, Result};
use mongodb::bson::DateTime;
use procfs::{Current, Meminfo};

/// Replaces the text between `<!-- part:begin -->` and `<!-- part:end -->` in a file.
pub fn write(path: &Path, part: &str, text: &str) -> Result<()> {
    let document = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let document = replace(&document, part, text).with_context(|| {
        format!(
            "{} has no markers <!-- {part}:begin --> and <!-- {part}:end -->",
            path.display()
        )
    })?;
    std::fs::write(path, document).with_context(|| format!("writing {}", path.display()))
}

/// The date and the machine of a measurement, such as `2026-11-24, 2 cores, 24 GiB`.
pub fn date_and_machine() -> Result<String> {
    let now = DateTime::now()
        .try_to_rfc3339_string()
        .context("reading the clock")?;
    let date = now.split('T').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().context("counting cores")?;
    let memory = Meminfo::current().context("reading /proc/meminfo")?.mem_total;
    Ok(format!(
        "{date}, {cores} cores, {} GiB",
        memory.div_ceil(1024 * 1024 * 1024)
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
    fn only_text_between_the_markers_is_replaced() {
        let document = "above\n<!-- a:begin -->old<!-- a:end -->\nbelow <!-- b:begin --><!-- b:end -->";
        assert_eq!(
            replace(document, "a", "new\n").unwrap(),
            "above\n<!-- a:begin -->\n\nnew\n\n<!-- a:end -->\nbelow <!-- b:begin --><!-- b:end -->"
        );
        assert_eq!(replace(document, "c", "new"), None);
    }
}
