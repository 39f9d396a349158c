//! Which crate may import which, held to what cargo resolves. `deny.toml` bans outside crates; this is the inside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Every crate of the workspace with the crates of the workspace that it may import: arrows point inward.
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("proto", &[]),
    ("vote", &["proto"]),
    ("ingest", &["proto", "vote"]),
    ("kafka", &["ingest"]),
    ("service", &[]),
    ("http-api", &["ingest", "proto", "vote"]),
    ("ingest-rest", &["http-api", "ingest", "kafka", "service", "vote"]),
    (
        "ingest-grpc",
        &["http-api", "ingest", "kafka", "proto", "service", "vote"],
    ),
    ("consumer", &["kafka", "proto", "service", "tallies", "vote"]),
    ("viewer", &["service", "tallies"]),
    ("tallies", &[]),
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
            "ephemeral-stack",
            "experiment-model",
            "lab",
            "load-generator",
            "proto",
            "quantile",
        ],
    ),
    ("lab", &["kafka", "plot", "quantile", "vote"]),
    ("naive", &["proto"]),
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
            "vote",
        ],
    ),
];

/// Crates that must not be anywhere below these, not even through others.
const NOT_BELOW: [(&str, &[&str]); 4] = [
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
        "a crate has no rule, or a rule no crate"
    );
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = rules.get(name).unwrap_or_else(|| panic!("{name} has no rule"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let imported = dependency["name"].as_str().unwrap();
            let is_normal = dependency["kind"].is_null();
            if is_normal && rules.contains_key(imported) {
                assert!(allowed.contains(&imported), "{name} must not import {imported}");
            }
        }
    }
}

#[test]
fn the_core_is_free_of_transports() {
    for (name, banned) in NOT_BELOW {
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
                !banned.contains(&dependency),
                "{name} must not depend on {dependency}"
            );
        }
    }
}
