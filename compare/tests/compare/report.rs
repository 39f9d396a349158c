//! Writes and reads the report of a synthetic run, and repeats its decisions.

use std::process::Command;

use analysis::report::model::Report;
use analysis::report::text;
use analysis::stats::verdict::Verdict;
use compare::report_files;

use crate::synthetic_run::{PLAN, synthetic_run};

#[test]
fn written_report_reads_back_unchanged() {
    let (report, points) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let folder = tempfile::tempdir().unwrap();
    report_files::write(&report, &points, folder.path()).unwrap();
    let read = report_files::read(folder.path()).unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        serde_json::to_value(&report).unwrap()
    );
    for file in ["report.html", "samples.csv.gz"] {
        assert!(
            folder.path().join(file).metadata().unwrap().len() > 1_000,
            "{file}"
        );
    }
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .arg("report")
        .arg(folder.path())
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.trim_end(), text::summary(&report));
}

#[test]
fn thresholds_change_the_verdicts_of_a_report() {
    let (report, points) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let folder = tempfile::tempdir().unwrap();
    report_files::write(&report, &points, folder.path()).unwrap();
    let recompute = |options: &[&str]| {
        let json = folder.path().join("recomputed.json");
        let status = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["report", "--json"])
            .arg(&json)
            .arg(folder.path())
            .args(options)
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
        report_files::read(&json).unwrap()
    };
    let as_data = |report: &Report| serde_json::to_value(report).unwrap();
    assert_eq!(as_data(&recompute(&["--recompute"])), as_data(&report));
    let median = |report: &Report| report.points[0].pairs[0].comparisons[0].verdict;
    assert_eq!(median(&report), Verdict::BBetter);
    assert_eq!(median(&recompute(&["--margin", "0.9"])), Verdict::Equivalent);
}

#[test]
fn invalid_report_and_other_format_give_different_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    for (text, part) in [
        ("[]", "not a report of compare"),
        (r#"{"format":99}"#, "format 99"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = format!("{:#}", report_files::read(&path).unwrap_err());
        assert!(error.contains(part), "{error}");
    }
}
