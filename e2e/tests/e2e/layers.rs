//! The crates of the workspace depend on each other only as the list below allows. `deny.toml` has the rules for crates from
//! outside.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Every crate of the workspace with the crates of the workspace that it may depend on. Dependencies point inward.
const MAY_IMPORT: [(&str, &[&str]); 31] = [
    ("proto", &[]),
    ("vote", &["proto"]),
    ("reload", &[]),
    ("secret", &[]),
    ("auth", &["reload", "tls"]),
    ("ingest", &["auth", "proto", "vote"]),
    ("kafka", &["ingest", "secret", "tls"]),
    ("tls", &[]),
    ("authority", &[]),
    ("service", &["auth", "reload", "secret", "tls"]),
    ("http-api", &["auth", "ingest", "proto", "tls", "vote"]),
    ("fault-injection", &["ingest", "kafka"]),
    (
        "ingest-rest",
        &[
            "fault-injection",
            "http-api",
            "ingest",
            "kafka",
            "service",
            "vote",
        ],
    ),
    (
        "ingest-grpc",
        &[
            "auth",
            "fault-injection",
            "http-api",
            "ingest",
            "kafka",
            "proto",
            "reload",
            "secret",
            "service",
            "tls",
            "vote",
        ],
    ),
    (
        "consumer",
        &[
            "kafka", "proto", "secret", "service", "tallies", "vote", "vote-log",
        ],
    ),
    (
        "viewer",
        &["secret", "service", "tallies", "tls", "vote", "vote-log"],
    ),
    ("vote-log", &["secret", "tls"]),
    ("tallies", &["secret", "tls"]),
    ("quantile", &[]),
    ("plot", &[]),
    ("experiment-model", &[]),
    ("load-generator", &["experiment-model", "proto", "quantile"]),
    ("analysis", &["experiment-model", "plot", "quantile"]),
    ("ephemeral-stack", &["lab"]),
    (
        "compare",
        &[
            "analysis",
            "authority",
            "ephemeral-stack",
            "experiment-model",
            "lab",
            "load-generator",
            "proto",
            "quantile",
            "tls",
        ],
    ),
    ("lab", &["authority", "kafka", "plot", "quantile", "tls", "vote"]),
    ("naive", &["proto"]),
    ("bare-insert", &[]),
    ("e2e", &["kafka", "lab", "proto"]),
    (
        "faults",
        &[
            "consumer",
            "ephemeral-stack",
            "kafka",
            "lab",
            "plot",
            "proto",
            "tallies",
            "tls",
            "vote",
        ],
    ),
    ("fuzz", &[]),
];

/// Crates that the named crates must not depend on, neither directly nor indirectly.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("vote", &["tokio", "tonic", "axum", "hyper", "rdkafka", "http"]),
    ("ingest", &["tonic", "axum", "hyper", "rdkafka", "http"]),
    ("load-generator", &["lab", "analysis", "rdkafka"]),
    (
        "analysis",
        &["lab", "load-generator", "tokio", "hyper", "rdkafka"],
    ),
];

#[test]
fn crates_import_inward_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let rules: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    assert_eq!(
        packages.len(),
        rules.len(),
        "MAY_IMPORT must have one rule for each crate of the workspace"
    );
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = rules.get(name).unwrap_or_else(|| panic!("{name} has no rule"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let imported = dependency["name"].as_str().unwrap();
            let is_normal = dependency["kind"].is_null();
            if is_normal && rules.contains_key(imported) {
                assert!(
                    allowed.contains(&imported),
                    "{name} must not depend on {imported}"
                );
            }
        }
    }
}

#[test]
fn core_does_not_depend_on_transports() {
    for (name, forbidden) in FORBIDDEN {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--package",
                name,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
            ])
            .output()
            .unwrap();
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.lines().count() > 5, "cargo tree printed:\n{tree}");
        for line in tree.lines() {
            let dependency = line.split_whitespace().next().unwrap_or_default();
            assert!(
                !forbidden.contains(&dependency),
                "{name} must not depend on {dependency}"
            );
        }
    }
}
