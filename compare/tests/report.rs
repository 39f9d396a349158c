//! The report of a run that never was: votes from a seeded random generator, judged and written as those of a real one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use compare::changes::changes;
use compare::data::{ArmData, Block, Counted, Machine, Point, ServerTiming, Usage, WireBytes};
use compare::driver::load::{Outcome, Sample};
use compare::judge::{Margin, Rules};
use compare::plan::Plan;
use compare::refusals::refusals;
use compare::report::model::{Driver, FORMAT, Finding, Report};
use compare::report::{self, answers, diff, html, schema, summary, text};
use compare::stats::verdict::Verdict;
use serde_json::Value;
use uuid::Uuid;

const PLAN: &str = r#"
name = "invented"
purpose = "REST <against> gRPC."
[design]
warm_up_s = 0
rounds = 12
block_s = 1
[load]
rate = 200
[[arms]]
name = "REST"
route = "rest"
version = "http1"
encoding = "json"
[[arms]]
name = "gRPC & more"
route = "grpc"
version = "h2c"
encoding = "grpc"
"#;

const SWEEP: &str = r#"
[sweep]
key = "load.rate"
values = [200, 400, 800]
"#;

/// Median latencies of both arms, ms.
type Medians = [f64; 2];

fn invented(plan: &str, medians: &[Medians], seed: u64) -> (Report, Vec<Point>) {
    let plan = Plan::parse(plan).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let values = plan.points().unwrap().into_iter().map(|(value, _)| value);
    let points: Vec<Point> = values
        .zip(medians)
        .map(|(value, medians)| Point {
            value,
            arms: arms(&plan, medians, &mut random),
        })
        .collect();
    let margin = Margin::default();
    let rules = Rules {
        margin,
        confidence: 0.95,
        seed: 1,
    };
    let judged: Vec<_> = points.iter().map(|point| summary::point(point, rules)).collect();
    let equal =
        |value: &str| [("rest", value), ("grpc", value)].map(|(name, value)| (name.into(), value.into()));
    let mut report = Report {
        format: FORMAT,
        run: format!("compare-invented-{seed}"),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        took_s: 30.0,
        machine: Machine {
            cores: 2,
            ..Machine::default()
        },
        driver: Driver::default(),
        confidence: rules.confidence,
        margin,
        fairness: vec![Finding {
            subject: "linger_ms".to_owned(),
            values: BTreeMap::from(equal("5")),
            fair: true,
            sentence: String::new(),
        }],
        refusals: Vec::new(),
        changes: changes(&judged),
        points: judged,
        reconciled: true,
        differences: None,
        plan,
    };
    report.refusals = refusals(&report);
    (report, points)
}

fn arms(plan: &Plan, [rest, grpc]: &Medians, random: &mut fastrand::Rng) -> Vec<ArmData> {
    let [first, second] = &plan.arms[..] else {
        panic!("two arms");
    };
    let arm = |arm: &compare::plan::Arm, is_control, median, random: &mut fastrand::Rng| ArmData {
        arm: arm.clone(),
        is_control,
        blocks: (0..plan.design.rounds)
            .map(|round| block(round, median, random))
            .collect(),
    };
    vec![
        arm(first, false, *rest, random),
        arm(second, false, *grpc, random),
        arm(first, true, *rest, random),
    ]
}

fn block(round: usize, median: f64, random: &mut fastrand::Rng) -> Block {
    let length = Duration::from_secs(1);
    let mut sample = |index: u32| {
        let latency = median * (0.9 + 0.2 * random.f64());
        Sample {
            intended: length * index / 200,
            lag: Duration::from_micros(40),
            latency: Duration::from_secs_f64(latency / 1e3),
            outcome: if index == 199 {
                Outcome::Failed("429".to_owned())
            } else {
                Outcome::Acknowledged(Uuid::from_u128(random.u128(..)))
            },
            server: index.is_multiple_of(10).then_some(ServerTiming {
                publish: latency * 0.6,
                total: latency * 0.7,
                ..ServerTiming::default()
            }),
        }
    };
    let usage = Usage {
        cpu_s: 0.02,
        rss_bytes: 20 << 20,
    };
    Block {
        round,
        position: 0,
        started: Duration::from_secs(round as u64),
        length,
        samples: (0..200).map(&mut sample).collect(),
        usage: BTreeMap::from(["rest", "grpc", "bridge", "ingress"].map(|name| (name.to_owned(), usage))),
        wire: WireBytes {
            sent: 60_000,
            received: 40_000,
        },
        counted: Counted {
            buckets: vec![(0.05, 150), (0.1, 200), (f64::INFINITY, 200)],
            sum_s: 8.0,
        },
    }
}

#[test]
fn the_schema_is_current_and_a_report_is_valid_by_it() {
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");
    let fresh = schema::text().unwrap();
    if std::env::var_os("DUALPATH_BLESS").is_some() {
        std::fs::write(checked_in, &fresh).unwrap();
    }
    assert!(
        std::fs::read_to_string(checked_in).unwrap_or_default() == fresh,
        "report.schema.json is stale; run: DUALPATH_BLESS=1 cargo test -p compare --test report"
    );
    let schema = serde_json::to_value(schema::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let (report, _) = invented(&format!("{PLAN}{SWEEP}"), &[[4.0, 3.0]; 3], 1);
    let mut report = serde_json::to_value(report).unwrap();
    if let Err(error) = validator.validate(&report) {
        panic!("{error} at {}", error.instance_path());
    }
    report["points"][0]["arms"][0]["sent"] = Value::from("many");
    assert!(!validator.is_valid(&report));
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let (report, points) = invented(PLAN, &[[4.0, 3.0]], 1);
    let folder = tempfile::tempdir().unwrap();
    report::write(&report, &points, folder.path()).unwrap();
    let read = report::read(folder.path()).unwrap();
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
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim_end(), text::summary(&report));
}

#[test]
fn a_run_is_judged_again_by_other_thresholds() {
    let (report, points) = invented(PLAN, &[[4.0, 3.0]], 1);
    let folder = tempfile::tempdir().unwrap();
    report::write(&report, &points, folder.path()).unwrap();
    let again = |options: &[&str]| {
        let json = folder.path().join("again.json");
        let status = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["report", "--json"])
            .arg(&json)
            .arg(folder.path())
            .args(options)
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
        report::read(&json).unwrap()
    };
    let as_data = |report: &Report| serde_json::to_value(report).unwrap();
    assert_eq!(as_data(&again(&["--judge"])), as_data(&report));
    let median = |report: &Report| report.points[0].comparisons[0].measures[0].verdict;
    assert_eq!(median(&report), Verdict::BBetter);
    assert_eq!(median(&again(&["--margin", "0.9"])), Verdict::Equivalent);
}

#[test]
fn a_file_that_is_no_report_and_one_of_another_format_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    for (text, part) in [("[]", "no report of compare"), (r#"{"format":99}"#, "format 99")] {
        std::fs::write(&path, text).unwrap();
        let error = format!("{:#}", report::read(&path).unwrap_err());
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_work_of_the_ingress_is_a_cost_of_the_arms_behind_it() {
    let plan = PLAN.replacen("encoding = \"json\"", "encoding = \"json\"\nvia = \"ingress\"", 1);
    let (report, _) = invented(&plan, &[[4.0, 3.0]], 1);
    let cost = |arm: usize| report.points[0].arms[arm].cost;
    let ratio = cost(0).cpu_s_per_million.unwrap() / cost(1).cpu_s_per_million.unwrap();
    assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    assert_eq!(cost(0).memory_mib, Some(40.0));
}

#[test]
fn the_summary_has_a_sentence_for_each_measure() {
    let (report, _) = invented(PLAN, &[[4.0, 3.0]], 1);
    let text = text::summary(&report);
    for part in [
        "median latency: gRPC & more faster. REST 3.99, gRPC & more 3.00 ms",
        "throughput: equivalent.",
        "CPU time: equivalent.",
        "REST (control)",
        "REST: failed: 12 429",
        "Control: REST against itself shows no difference",
        "The services are equal in all 1 settings",
        "Every acknowledged vote is in Kafka, Redis and MongoDB once.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_page_stands_alone_and_escapes_what_a_plan_says() {
    let (report, _) = invented(
        &format!("{PLAN}{SWEEP}"),
        &[[4.0, 3.0], [4.0, 4.0], [4.0, 6.0]],
        1,
    );
    let page = html::page(&report).unwrap();
    assert!(page.contains("REST &lt;against&gt; gRPC.") && !page.contains("<against>"));
    assert!(page.contains("default-src 'none'"));
    for outside in ["<script", "<link", "src=", "url(", "https://"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let drawings = page.matches("<svg role=\"img\" aria-label=").count();
    // Five along the sweep; at each value two verdicts, two latencies, the stages and the course of time.
    assert_eq!(drawings, 5 + 3 * 6);
}

#[test]
fn the_answers_are_backed_by_figures() {
    let (report, _) = invented(PLAN, &[[4.0, 3.0]], 1);
    let sheet = answers::sheet(&report);
    for (language, parts) in [
        (
            &sheet.en,
            [
                "gRPC & more took less time: median latency 3.0",
                "60 % or more of a vote's time",
                "two are equivalent",
                "bytes",
            ],
        ),
        (
            &sheet.es,
            [
                "gRPC & more se tardó menos: la mediana de la latencia es de 3.0",
                "el 60 % o más",
                "los dos son equivalentes",
                "bytes",
            ],
        ),
    ] {
        let sentences = language.iter().flat_map(|answer| answer.sentences.clone());
        let text = sentences.collect::<Vec<_>>().join("\n");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn without_a_verdict_nothing_is_answered() {
    let (mut report, _) = invented(PLAN, &[[4.0, 3.0]], 1);
    report.refusals = vec!["The machine is too noisy.".to_owned()];
    let sheet = answers::sheet(&report);
    let answered = serde_json::to_string(&sheet).unwrap();
    assert!(
        answered.contains("no verdict. The machine is too noisy."),
        "{answered}"
    );
    assert!(answered.contains("no permite un veredicto"), "{answered}");
    for said in [answered, html::page(&report).unwrap(), text::summary(&report)] {
        assert!(
            !said.contains("gRPC & more faster") && !said.contains("gRPC & more took less"),
            "{said}"
        );
        assert!(!said.contains("gRPC &amp; more faster"), "{said}");
    }
}

#[test]
fn the_change_of_a_winner_is_in_both_answers() {
    let (report, _) = invented(
        &format!("{PLAN}{SWEEP}"),
        &[[4.0, 3.0], [4.0, 4.0], [4.0, 6.0]],
        1,
    );
    let sheet = answers::sheet(&report);
    let said = |answers: &[answers::Answer], part: &str| {
        let mut sentences = answers[1].sentences.iter();
        assert!(
            sentences.any(|sentence| sentence.contains(part)),
            "{part}: {answers:?}"
        );
    };
    said(
        &sheet.en,
        "median latency: gRPC & more better up to 200, equivalent from 400 on.",
    );
    said(
        &sheet.es,
        "en la mediana de la latencia: equivalentes hasta 400, mejor REST desde 800.",
    );
}

#[test]
fn two_runs_side_by_side_show_what_has_moved_and_what_was_not_the_same() {
    let (a, _) = invented(PLAN, &[[4.0, 3.0]], 1);
    let (b, _) = invented(&PLAN.replace("rate = 200", "rate = 300"), &[[4.0, 3.5]], 2);
    let diff = diff::diff(&a, &b).unwrap();
    let paths: Vec<&str> = diff
        .conditions
        .iter()
        .map(|condition| condition.path.as_str())
        .collect();
    assert_eq!(paths, ["plan.load.rate"]);
    let moved = |subject: &str| {
        let p50 = |row: &&diff::Row| row.subject == subject && row.measure == compare::judge::Measure::P50;
        diff.rows.iter().find(p50).unwrap()
    };
    let change = moved("gRPC & more − REST").change.unwrap();
    assert!(change.low > 0.4 && change.high < 0.6, "{change:?}");
    assert_eq!(moved("gRPC & more").moved(), "higher");
    assert_eq!(diff.missing, Vec::<String>::new());
    assert!(diff::text(&diff).contains("plan.load.rate: 200.0, 300.0"));
}
