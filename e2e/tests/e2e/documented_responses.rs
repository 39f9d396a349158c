//! The services answer as their OpenAPI description says. schemathesis generates valid and invalid requests from the
//! description, and checks the status, content type, headers and schema of each response.

use std::path::{Path, PathBuf};
use std::process::Command;

use ephemeral_stack::EphemeralStack;

use crate::INGEST_SERVERS;

#[tokio::test]
async fn every_response_is_documented() {
    let stack = EphemeralStack::start_only(&INGEST_SERVERS).unwrap();
    for base in [&stack.endpoints().rest, &stack.endpoints().bridge] {
        run_schemathesis(base);
    }
}

/// `schemathesis.toml` has the options. They make the requests the same in every run: schemathesis first repeats the failures
/// of earlier runs, which it keeps in the current directory, so that directory is new.
fn run_schemathesis(base: &str) {
    let directory = tempfile::tempdir().unwrap();
    for file in ["schemathesis.toml", "hooks.py"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("schemathesis")
            .join(file);
        std::fs::copy(source, directory.path().join(file)).unwrap();
    }
    let output = Command::new(cache().join("venv-schemathesis/bin/schemathesis"))
        .args(["run", "--no-color", "--url", base])
        .arg(format!("{base}/openapi.json"))
        .current_dir(directory.path())
        .output()
        .unwrap_or_else(|error| panic!("schemathesis is missing, run scripts/setup-dev.sh: {error}"));
    let report = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{base}:\n{report}\n{errors}");
    println!("{base}: {}", report.lines().last().unwrap_or_default());
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    base.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cache"))
        .join("dualpath")
}
