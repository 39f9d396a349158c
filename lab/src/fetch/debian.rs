//! Programs out of Debian packages, unpacked instead of installed: no root, no service started. Apt checks the
//! archive's signatures.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Unpacks `packages` into `tree` and checks the version that `program` prints.
pub(super) async fn fetch(
    packages: &[&str],
    program: &str,
    version: &str,
    staging: &Path,
    tree: &Path,
) -> Result<()> {
    let mut download = Command::new("apt-get");
    download.arg("download").args(packages).current_dir(staging);
    super::run(&mut download, "apt").await.context(
        "apt has no package lists, or old ones: run `apt-get update` (or scripts/setup.sh) and try again",
    )?;
    for entry in std::fs::read_dir(staging)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            super::run(Command::new("dpkg").arg("-x").arg(&archive).arg(tree), "dpkg").await?;
        }
    }
    let mut command = Command::new(tree.join("usr/bin").join(program));
    command.arg("--version").env("LD_LIBRARY_PATH", libraries(tree));
    let printed = super::run(&mut command, program).await?;
    if !printed.contains(version) {
        bail!(
            "expected {program} with {version:?}, got {:?}",
            printed.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}

/// Where the packages of a tree put their shared libraries.
pub(super) fn libraries(tree: &Path) -> String {
    tree.join("usr/lib/x86_64-linux-gnu").display().to_string()
}
