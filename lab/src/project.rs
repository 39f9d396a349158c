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

/// The path for readers of a report: relative to `root` if it is inside, otherwise only its last part. An absolute path would
/// show the directories of the machine on which the report was written.
pub fn shown_path(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).ok();
    let shown = inside.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
    shown.display().to_string()
}

fn is_root(path: &Path) -> bool {
    path.join("lab/Cargo.toml").exists() && path.join("prometheus/prometheus.yml").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_path_has_no_directory_of_the_machine() {
        let root = Path::new("/home/me/dualpath");
        for (path, expected) in [
            (
                "/home/me/dualpath/locust/votes/bands.json",
                "locust/votes/bands.json",
            ),
            ("/home/me/my votes.json", "my votes.json"),
            ("/home/me/dualpath2/votes.json", "votes.json"),
        ] {
            assert_eq!(shown_path(root, Path::new(path)), expected);
        }
    }
}
