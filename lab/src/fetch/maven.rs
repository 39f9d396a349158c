//! Downloads Kafka's jars with Maven and verifies them against a committed list of checksums.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::command::run;

const POM: &str = include_str!("../../servers/kafka/pom.xml");
const SHA256SUMS: &str = include_str!("../../servers/kafka/SHA256SUMS");

/// Downloads all jars into `tree`.
pub(super) async fn fetch(staging: &Path, tree: &Path) -> Result<()> {
    let pom = staging.join("pom.xml");
    std::fs::write(&pom, POM)?;
    let mut maven = Command::new("mvn");
    maven
        .args([
            "--quiet",
            "--batch-mode",
            "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg("--file")
        .arg(&pom)
        .arg(format!("-DoutputDirectory={}", tree.display()));
    run(&mut maven, "maven").await?;
    verify(tree)
}

/// Checks that the jars in `tree` are exactly the listed ones: none missing, none extra, none changed.
fn verify(tree: &Path) -> Result<()> {
    let mut expected: BTreeMap<&str, &str> = SHA256SUMS
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, file)| (file, sum))
        .collect();
    for entry in std::fs::read_dir(tree)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let sum = expected
            .remove(file.as_str())
            .with_context(|| format!("Maven downloaded {file}, which is not in SHA256SUMS"))?;
        let actual = hex(&Sha256::digest(std::fs::read(entry.path())?));
        if actual != sum {
            bail!("{file} has SHA-256 {actual}, but SHA256SUMS lists {sum}");
        }
    }
    if let Some(file) = expected.keys().next() {
        bail!("Maven did not download {file}, which is in SHA256SUMS");
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
