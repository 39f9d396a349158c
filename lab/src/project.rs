//! Finds the root of the project and the directory of its programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the checkout that contains the current directory, or otherwise of the one that contains this program.
pub fn root() -> Result<PathBuf> {
    let current = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    [current, program]
        .into_iter()
        .flatten()
        .find_map(|start| start.ancestors().find(|path| is_root(path)).map(Path::to_owned))
        .context("neither the current directory nor this program is in a checkout of dualpath: run the command in one")
}

/// The directory of the built programs: that of this program, or its parent if this program is a test in `deps/`.
pub fn programs() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding the path of this program")?;
    let mut directories = program.ancestors().skip(1);
    let directory = directories
        .next()
        .context("the path of this program has no directory")?;
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
