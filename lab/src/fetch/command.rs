//! Runs the package managers.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Runs `command` and returns its standard output and standard error. If the program fails, the error contains its output.
/// If it is not installed, the error names `debian_package`, which contains it.
pub(super) async fn run(command: &mut Command, debian_package: &str) -> Result<String> {
    let program = command.as_std().get_program().display().to_string();
    let output = match command.kill_on_drop(true).output().await {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{program} is not installed: run `apt-get install {debian_package}` (or scripts/setup.sh)")
        }
        Err(error) => return Err(error).with_context(|| format!("running {program}")),
    };
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    if !output.status.success() {
        bail!("{program} failed ({}):\n{}", output.status, text.trim());
    }
    Ok(text)
}
