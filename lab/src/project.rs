//! Where the project and its programs lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout around the current directory, else the one around this program.
pub fn root() -> Result<PathBuf> {
    let current = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    [current, program]
        .into_iter()
        .flatten()
        .find_map(|start| start.ancestors().find(|path| is_root(path)).map(Path::to_owned))
        .context("neither the current directory nor this program lies in a checkout of dualpath")
}

/// The directory of the built programs: that of this one, or the one above where this is a test of it.
pub fn programs() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut directories = program.ancestors().skip(1);
    let directory = directories.next().context("this program lies in no directory")?;
    let is_tests = directory.file_name().is_some_and(|name| name == "deps");
    Ok(if is_tests {
        directories.next().unwrap_or(directory)
    } else {
        directory
    }
    .to_owned())
}

fn is_root(path: &Path) -> bool {
    path.join("lab/Cargo.toml").exists() && path.join("prometheus/prometheus.yml").exists()
}
