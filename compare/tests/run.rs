//! The binary on a stack of its own: every vote is accounted for, and what is wrong with a plan is said.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PLAN: &str = r#"
name = "test"
purpose = "Short, for a test; its verdict means nothing."
[design]
warm_up_s = 0.5
rounds = 5
block_s = 0.5
[load]
rate = 100
connections = 2
[[arms]]
name = "rest"
route = "rest"
version = "http1"
encoding = "json"
[[arms]]
name = "rest protobuf"
route = "rest"
version = "h2c"
encoding = "protobuf"
via = "ingress"
[[arms]]
name = "grpc"
route = "grpc"
version = "h2c"
encoding = "grpc"
[[arms]]
name = "bridge"
route = "bridge"
version = "http1"
encoding = "json"
"#;

fn compare(plan: &str, directory: &Path) -> Output {
    let file = directory.join("plan.toml");
    std::fs::write(&file, plan).unwrap();
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            "run",
            file.to_str().unwrap(),
            "--results",
            directory.to_str().unwrap(),
        ])
        .output()
        .unwrap()
}

#[test]
fn every_vote_of_a_run_is_accounted_for() {
    let directory = tempfile::tempdir().unwrap();
    let output = compare(PLAN, directory.path());
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let run = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("report.json").exists())
        .unwrap_or_else(|| panic!("no report: {said}"));
    let report: Value = serde_json::from_slice(&std::fs::read(run.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["reconciled"], true, "{said}");
    // Four arms and the control, each with about 250 votes; the schedule of a round is the same for all.
    let arms = report["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 5);
    for arm in arms {
        assert_eq!(
            (&arm["sent"], arm["failed"].as_u64()),
            (&arms[0]["sent"], Some(0)),
            "{said}"
        );
    }
    assert!(arms[0]["sent"].as_u64().unwrap() > 100, "{said}");
    let pairs = report["comparisons"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        assert_eq!(pair["measures"].as_array().unwrap().len(), 5, "{pair}");
    }
    assert_eq!(report["control_holds"] == true, output.status.success(), "{said}");
}

#[test]
fn a_plan_that_cannot_be_run_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let output = compare(&PLAN.replace("rate = 100", "speed = 100"), directory.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains("unknown field `speed`"),
        "{error}"
    );
}
