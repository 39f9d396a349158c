//! The binary on an ephemeral stack: the votes of a run reconcile, and an invalid plan is an error.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Every encoding, every route, both paths, and a sweep that restarts services.
const PLAN: &str = r#"
name = "test"
purpose = "A short run for a test; its verdict is meaningless."
[design]
warm_up_s = 0.3
rounds = 8
processes = 2
block_s = 0.25
cpu_rounds = 8
[load]
rate = 400
connections = 2
timing_every = 2
[sweep]
key = "kafka.linger_ms"
values = [0, 0.3]
[[variants]]
name = "rest"
route = "rest"
version = "http1"
encoding = "json"
[[variants]]
name = "rest protobuf"
route = "rest"
version = "h2c"
encoding = "protobuf"
via = "ingress"
[[variants]]
name = "rest, new connections"
route = "rest"
version = "http1"
encoding = "json"
via = "ingress"
reuse = false
[[variants]]
name = "grpc"
route = "grpc"
version = "h2c"
encoding = "grpc"
[[variants]]
name = "grpc stream"
route = "grpc"
version = "h2c"
encoding = "grpc_stream"
via = "ingress"
[[variants]]
name = "bridge"
route = "bridge"
version = "http1"
encoding = "json"
via = "ingress"
"#;

fn plan_without_sweep() -> String {
    let (design, rest) = PLAN.split_once("[sweep]").unwrap();
    let (_, variants) = rest.split_once("[[variants]]").unwrap();
    format!("{design}[[variants]]{variants}")
}

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

/// The report of the only run in `directory`, whose votes must reconcile.
fn reconciled_report(directory: &Path, output_text: &str) -> Value {
    let report = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("report.json"))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no report: {output_text}"));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["reconciled"], true, "{output_text}");
    report
}

fn assert_acknowledged_with_cpu_time(variant: &Value, output_text: &str) {
    assert_eq!(
        variant["acknowledged"], variant["sent"],
        "{}\n{output_text}",
        variant["failures"]
    );
    assert!(
        variant["cost"]["cpu_s_per_million"].as_f64().unwrap() > 0.0,
        "{variant}"
    );
}

/// The rounds of all processes are numbered from 0 without a gap.
fn assert_rounds_are_numbered(blocks: &Value) {
    let blocks = blocks.as_array().unwrap();
    let rounds = blocks.iter().map(|block| block["round"].as_u64().unwrap());
    let rounds: Vec<u64> = rounds.collect();
    assert!(!rounds.is_empty());
    assert_eq!(rounds, (0..rounds.len() as u64).collect::<Vec<_>>());
}

#[test]
fn every_vote_of_a_run_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(PLAN, directory.path(), &[]);
    let output_text = text(&output);
    let report = reconciled_report(directory.path(), &output_text);
    assert!(
        report["calibration"]["highest_rate"].as_f64().unwrap() > 0.0,
        "{output_text}"
    );
    let points = report["points"].as_array().unwrap();
    let values: Vec<&str> = points
        .iter()
        .map(|point| point["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, ["0", "0.3"]);
    for point in points {
        // Six variants and the control, each with about 800 votes. The variants of a group of votes are balanced.
        let variants = point["variants"].as_array().unwrap();
        assert_eq!(variants.len(), 7);
        for variant in variants {
            let sent = |variant: &Value| variant["sent"].as_u64().unwrap();
            assert!(sent(variant).abs_diff(sent(&variants[0])) <= 2, "{output_text}");
            assert_acknowledged_with_cpu_time(variant, &output_text);
            assert_rounds_are_numbered(&variant["blocks"]);
            assert_rounds_are_numbered(&variant["cpu_blocks"]);
            assert!(
                variant["cost"]["received_mib_per_million"].as_f64().unwrap() > 0.0,
                "{variant}"
            );
            // A vote on a stream has no headers and cannot request stage times.
            let is_stream = variant["variant"]["encoding"] == "grpc_stream";
            assert_eq!(variant["stages"].is_null(), is_stream, "{variant}");
        }
        assert!(variants[0]["sent"].as_u64().unwrap() > 500, "{output_text}");
        assert_eq!(point["pairs"].as_array().unwrap().len(), 5);
    }
    let is_empty = |reasons: &Value| reasons.as_array().unwrap().is_empty();
    let has_verdict = is_empty(&report["no_verdict_reasons"])
        && points.iter().any(|point| is_empty(&point["no_verdict_reasons"]));
    assert_eq!(has_verdict, output.status.success(), "{output_text}");
}

/// Stock services and stock clients beside ours.
const STOCK_PLAN: &str = r#"
name = "test-stock"
purpose = "A short run for a test; its verdict is meaningless."
[design]
warm_up_s = 0.3
rounds = 8
cpu_rounds = 8
block_s = 0.25
[load]
rate = 400
connections = 2
[[variants]]
name = "rest"
route = "rest"
version = "http1"
encoding = "json"
[[variants]]
name = "rest, stock service"
route = "rest"
version = "http1"
encoding = "json"
service = "stock"
[[variants]]
name = "rest, stock client"
route = "rest"
version = "http1"
encoding = "json"
client = "stock"
[[variants]]
name = "grpc, stock service and client"
route = "grpc"
version = "h2c"
encoding = "grpc"
service = "stock"
client = "stock"
"#;

#[test]
fn every_vote_of_a_run_on_a_secured_stack_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&plan_without_sweep(), directory.path(), &["--secure"]);
    let output_text = text(&output);
    let report = reconciled_report(directory.path(), &output_text);
    let variants = report["points"][0]["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 7);
    for variant in variants {
        assert_acknowledged_with_cpu_time(variant, &output_text);
    }
    let findings = report["fairness"].as_array().unwrap();
    assert!(
        findings.iter().any(|finding| finding["subject"] == "secured"),
        "{findings:?}"
    );
}

#[test]
fn variant_that_cannot_reach_a_secured_stack_is_an_error_before_the_stack_starts() {
    let directory = tempfile::tempdir().unwrap();
    let grpc = "encoding = \"grpc\"\n";
    let plan = plan_without_sweep().replace(grpc, &format!("{grpc}service = \"stock\"\n"));
    let output = run(&plan, directory.path(), &["--secure"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("leave out --secure"), "{}", text(&output));
}

#[test]
fn every_vote_of_stock_services_and_clients_reconciles() {
    let directory = tempfile::tempdir().unwrap();
    let output_text = text(&run(STOCK_PLAN, directory.path(), &[]));
    let report = reconciled_report(directory.path(), &output_text);
    let variants = report["points"][0]["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 5);
    for variant in variants {
        assert!(variant["sent"].as_u64().unwrap() > 500, "{output_text}");
        assert_acknowledged_with_cpu_time(variant, &output_text);
        let is_stock = |part: &str| variant["variant"][part] == "stock";
        assert_eq!(
            variant["cost"]["sent_mib_per_million"].is_null(),
            is_stock("client"),
            "{variant}"
        );
        let has_stages = !is_stock("client") && !is_stock("service");
        assert_eq!(variant["stages"].is_null(), !has_stages, "{variant}");
    }
    let findings = report["fairness"].as_array().unwrap();
    let stock = findings.iter().find(|finding| finding["subject"] == "stock");
    assert_eq!(stock.unwrap()["fair"], true, "{output_text}");
}

#[test]
fn invalid_plan_is_an_error_before_the_stack_starts() {
    let cases = [
        ("rate = 400", "speed = 400", "unknown field `speed`"),
        ("rate = 400", "rate = 9e6", "lower load.rate"),
        ("rate = 400", "rate = 100", "25 votes"),
        ("rounds = 8", "rounds = 5", "at least 8"),
        (
            "kafka.linger_ms",
            "kafka.compression",
            "expected one of `load.rate`",
        ),
        (
            "[0, 0.3]",
            "[0, \"long\"]",
            "long is not a valid value of kafka.linger_ms",
        ),
        ("reuse = false", "payload = 3", "unknown field `payload`"),
    ];
    for (valid, invalid, part) in cases {
        let directory = tempfile::tempdir().unwrap();
        let output = run(&PLAN.replace(valid, invalid), directory.path(), &[]);
        let output_text = text(&output);
        assert!(
            !output.status.success() && output_text.contains(part),
            "{part}: {output_text}"
        );
        assert!(!output_text.contains("mongodb"), "{output_text}");
    }
}

#[test]
fn unknown_plan_is_an_error_that_lists_the_plans() {
    let output = compare(&["run", "fastest"]);
    let output_text = text(&output);
    assert!(
        !output.status.success()
            && output_text.contains("no plan fastest")
            && output_text.contains("standard"),
        "{output_text}"
    );
    let plans = text(&compare(&["plans"]));
    for name in ["quick", "standard", "payload", "rate", "turns"] {
        assert!(plans.contains(name), "{plans}");
    }
}

#[test]
fn unreachable_target_is_named() {
    let output = compare(&["load", "http://127.0.0.1:1"]);
    let output_text = text(&output);
    assert!(
        !output.status.success() && output_text.contains("cannot reach 127.0.0.1:1"),
        "{output_text}"
    );
}

#[test]
fn unequal_settings_stop_the_run() {
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
