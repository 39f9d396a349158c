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

/// Each way of writing votes, each route, both ways to them, and a sweep for which services are started again.
const PLAN: &str = r#"
name = "test"
purpose = "Short, for a test; its verdict means nothing."
[design]
warm_up_s = 0.3
rounds = 5
block_s = 0.3
[load]
rate = 100
connections = 2
timing_every = 2
[sweep]
key = "kafka.linger_ms"
values = [0, 3]
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
name = "rest dialled"
route = "rest"
version = "http1"
encoding = "json"
via = "ingress"
reuse = false
[[arms]]
name = "grpc"
route = "grpc"
version = "h2c"
encoding = "grpc"
[[arms]]
name = "grpc stream"
route = "grpc"
version = "h2c"
encoding = "grpc_stream"
via = "ingress"
[[arms]]
name = "bridge"
route = "bridge"
version = "http1"
encoding = "json"
via = "ingress"
"#;

fn compare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .output()
        .unwrap()
}

fn run(plan: &str, directory: &Path, options: &[&str]) -> Output {
    let file = directory.join("plan.toml");
    std::fs::write(&file, plan).unwrap();
    let (file, directory) = (file.to_str().unwrap(), directory.to_str().unwrap());
    compare(&[&["run", file, "--results", directory], options].concat())
}

fn text(output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{stdout}{stderr}")
}

#[test]
fn every_vote_of_a_run_is_accounted_for() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(PLAN, directory.path(), &[]);
    let said = text(&output);
    let report = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("report.json"))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no report: {said}"));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["reconciled"], true, "{said}");
    assert!(report["driver"]["highest_rate"].as_f64().unwrap() > 0.0, "{said}");
    let points = report["points"].as_array().unwrap();
    let values: Vec<&str> = points
        .iter()
        .map(|point| point["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, ["0", "3"]);
    for point in points {
        // Six arms and the control, each with about 150 votes; the schedule of a round is the same for all.
        let arms = point["arms"].as_array().unwrap();
        assert_eq!(arms.len(), 7);
        for arm in arms {
            assert_eq!(arm["sent"], arms[0]["sent"], "{said}");
            assert_eq!(arm["acknowledged"], arm["sent"], "{}\n{said}", arm["failures"]);
            assert!(
                arm["cost"]["received_mib_per_million"].as_f64().unwrap() > 0.0,
                "{arm}"
            );
            assert!(arm["cost"]["cpu_s_per_million"].as_f64().unwrap() > 0.0, "{arm}");
            // Votes of a stream have no head of their own to ask with.
            let streams = arm["arm"]["encoding"] == "grpc_stream";
            assert_eq!(arm["stages"].is_null(), streams, "{arm}");
        }
        assert!(arms[0]["sent"].as_u64().unwrap() > 50, "{said}");
        assert_eq!(point["comparisons"].as_array().unwrap().len(), 5);
    }
    let has_verdict = report["refusals"].as_array().unwrap().is_empty();
    assert_eq!(has_verdict, output.status.success(), "{said}");
}

#[test]
fn a_plan_that_cannot_be_run_is_refused_before_anything_starts() {
    let cases = [
        ("rate = 100", "speed = 100", "unknown field `speed`"),
        ("rate = 100", "rate = 9e6", "lower load.rate"),
        (
            "kafka.linger_ms",
            "kafka.compression",
            "expected one of `load.rate`",
        ),
        ("[0, 3]", "[0, \"long\"]", "long is no value of kafka.linger_ms"),
        ("reuse = false", "payload = 3", "unknown field `payload`"),
    ];
    for (good, bad, part) in cases {
        let directory = tempfile::tempdir().unwrap();
        let output = run(&PLAN.replace(good, bad), directory.path(), &[]);
        let said = text(&output);
        assert!(!output.status.success() && said.contains(part), "{part}: {said}");
        assert!(!said.contains("mongodb"), "{said}");
    }
}

#[test]
fn a_name_that_is_no_plan_is_answered_with_those_that_are() {
    let output = compare(&["run", "fastest"]);
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("no plan fastest") && said.contains("standard"),
        "{said}"
    );
    let plans = text(&compare(&["plans"]));
    for name in ["quick", "standard", "payload", "rate"] {
        assert!(plans.contains(name), "{plans}");
    }
}

#[test]
fn a_target_that_cannot_be_reached_is_named() {
    let output = compare(&["load", "http://127.0.0.1:1"]);
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("cannot reach 127.0.0.1:1"),
        "{said}"
    );
}

#[test]
fn routes_with_unequal_settings_are_not_compared() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(
        PLAN,
        directory.path(),
        &["--service-arg", "rest=--deadline-ms=900"],
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(
        error.contains("deadline_ms is") && error.contains("900 for rest"),
        "{error}"
    );
}
