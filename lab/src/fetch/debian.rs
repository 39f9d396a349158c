//! Extracts programs from Debian packages without installing them. This needs no root access and starts no service. Apt
//! verifies the signatures of the archive.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::command::run;

/// Downloads and extracts `packages` into `tree`, and checks that `program --version` prints `version`.
pub(super) async fn fetch(
    packages: &[&str],
    program: &str,
    version: &str,
    staging: &Path,
    tree: &Path,
) -> Result<()> {
    let mut download = Command::new("apt-get");
    download.arg("download").args(packages).current_dir(staging);
    run(&mut download, "apt").await.context(
        "the package lists of apt are missing or outdated: run `apt-get update` (or scripts/setup.sh), then repeat the command",
    )?;
    for entry in std::fs::read_dir(staging)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&archive).arg(tree), "dpkg").await?;
        }
    }
    let mut command = Command::new(tree.join("usr/bin").join(program));
    command.arg("--version").env("LD_LIBRARY_PATH", libraries(tree));
    let printed = run(&mut command, program).await?;
    if !printed.contains(version) {
        bail!(
            "expected {program} to print {version:?}, but it printed {:?}",
            printed.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}

/// The directory of the shared libraries below `tree`.
pub(super) fn libraries(tree: &Path) -> String {
    tree.join("usr/lib/x86_64-linux-gnu").display().to_string()
}
