//! The report of a synthetic run: schema, summary, page, answers and diff.

use analysis::measure::{Measure, SearchEnd};
use analysis::observations::{Point, Search};
use analysis::report::model::Report;
use analysis::report::{answers, diff, html, schema, text};
use analysis::stats::verdict::Verdict;
use analysis::summary;
use serde_json::Value;

use crate::synthetic_run::{PLAN, SWEEP, synthetic_run};

#[test]
fn committed_schema_is_current_and_validates_a_report() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");
    let fresh = schema::text().unwrap();
    if std::env::var_os("DUALPATH_BLESS").is_some() {
        std::fs::write(committed, &fresh).unwrap();
    }
    assert!(
        std::fs::read_to_string(committed).unwrap_or_default() == fresh,
        "report.schema.json is stale; run: DUALPATH_BLESS=1 cargo test --release -p analysis --test analysis report"
    );
    let schema = serde_json::to_value(schema::schema()).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("report.schema.json", schema).unwrap();
    let schema = compiler.compile("report.schema.json", &mut schemas).unwrap();
    let (report, _) = synthetic_run(&format!("{PLAN}{SWEEP}"), &[[4.0, 3.0]; 3], 1);
    let mut report = serde_json::to_value(report).unwrap();
    if let Err(error) = schemas.validate(&report, schema) {
        panic!("{error}");
    }
    report["points"][0]["variants"][0]["sent"] = Value::from("many");
    assert!(schemas.validate(&report, schema).is_err());
}

#[test]
fn ingress_resources_count_towards_variants_behind_it() {
    let plan = PLAN.replacen("encoding = \"json\"", "encoding = \"json\"\nvia = \"ingress\"", 1);
    let (report, _) = synthetic_run(&plan, &[[4.0, 3.0]], 1);
    let cost = |index: usize| report.points[0].variants[index].cost;
    let ratio = cost(0).cpu_s_per_million.unwrap() / cost(1).cpu_s_per_million.unwrap();
    assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    assert_eq!(cost(0).memory_mib, Some(40.0));
}

#[test]
fn summary_has_a_sentence_for_each_measure() {
    let (report, _) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let text = text::summary(&report);
    for part in [
        "Which is faster for a typical vote? gRPC & more, by ",
        "Which carries more votes? REST and gRPC & more are equivalent",
        "Which needs less CPU time? REST and gRPC & more are equivalent",
        "  p50 ",
        "REST (control)",
        "REST: failed: 12 429",
        "Control: two measurements of REST show no difference",
        "The services are equal in all 1 compared settings",
        "Every acknowledged vote is in Kafka, Redis and MongoDB once.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn page_is_self_contained_and_escapes_plan_texts() {
    let (report, _) = synthetic_run(
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
    let plots = page.matches("<svg role=\"img\" aria-label=").count();
    // Five along the sweep; at each value, two of differences, two of latency, one of stages and one over time.
    assert_eq!(plots, 5 + 3 * 6);
}

#[test]
fn answers_contain_the_numbers_of_the_run() {
    let (report, _) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let sheet = answers::answer_sheet(&report);
    for (answers, parts) in [
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
        let sentences = answers.iter().flat_map(|answer| answer.sentences.clone());
        let text = sentences.collect::<Vec<_>>().join("\n");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// The headline of the page: the first strong text.
fn page_headline(report: &analysis::report::model::Report) -> String {
    let page = html::page(report).unwrap();
    let (_, rest) = page.split_once("<strong>").unwrap();
    rest.split_once("</strong>").unwrap().0.to_owned()
}

#[test]
fn headline_says_how_many_measures_are_decided() {
    let (decided, _) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let mut undecided = decided.clone();
    for comparison in &mut undecided.points[0].pairs[0].comparisons {
        comparison.verdict = Verdict::NotEnoughData { rounds_needed: None };
    }
    let mut partly = undecided.clone();
    partly.points[0].pairs[0].comparisons[0].verdict = Verdict::Equivalent;
    for (report, expected) in [
        (&decided, "All 5 measures are decided."),
        (
            &undecided,
            "Nothing is decided: there is not enough data for any of the 5 measures.",
        ),
        (
            &partly,
            "1 of 5 measures are decided; there is not enough data for the others.",
        ),
    ] {
        assert_eq!(page_headline(report), expected);
        assert!(text::summary(report).contains(expected), "{expected}");
    }
    let mut refused = decided;
    refused.no_verdict_reasons = vec!["The machine is too noisy.".to_owned()];
    assert_eq!(page_headline(&refused), "There is no verdict.");
    assert!(text::summary(&refused).contains("There is no verdict."));
}

#[test]
fn run_without_a_verdict_has_no_answers() {
    let (mut report, _) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    report.no_verdict_reasons = vec!["The machine is too noisy.".to_owned()];
    let sheet = answers::answer_sheet(&report);
    let answered = serde_json::to_string(&sheet).unwrap();
    assert!(
        answered.contains("no verdict. The machine is too noisy."),
        "{answered}"
    );
    assert!(answered.contains("no permite un veredicto"), "{answered}");
    for output in [answered, html::page(&report).unwrap(), text::summary(&report)] {
        assert!(
            !output.contains("gRPC & more faster") && !output.contains("gRPC & more took less"),
            "{output}"
        );
        assert!(!output.contains("gRPC &amp; more faster"), "{output}");
    }
}

#[test]
fn point_with_late_votes_withdraws_only_its_own_verdict() {
    let plan = format!("{PLAN}{SWEEP}");
    let (mut report, mut points) = synthetic_run(&plan, &[[4.0, 3.0], [4.0, 3.0], [4.0, 6.0]], 1);
    let last = &mut points[2].variants[0].blocks;
    for sample in last.iter_mut().flat_map(|block| &mut block.samples) {
        sample.scheduling_delay = std::time::Duration::from_millis(9);
    }
    let rule = report.rule();
    report.points = points.iter().map(|point| summary::point(point, &rule)).collect();
    summary::conclude(&mut report);

    let reasons: Vec<&str> = report.all_no_verdict_reasons().collect();
    let [reason] = &reasons[..] else {
        panic!("expected one reason: {reasons:?}");
    };
    assert!(reason.starts_with("At 800: The load generator"), "{reason}");
    assert_eq!(report.points_with_verdict().count(), 2);
    // The only change would be at the value without a verdict.
    assert_eq!(report.changes, []);
    let expected = "10 of 15 comparisons are decided; the others have no verdict.";
    let (summary, page) = (text::summary(&report), html::page(&report).unwrap());
    for output in [&summary, &page] {
        assert!(output.contains(expected) && output.contains(*reason), "{output}");
    }
    assert_eq!(page_headline(&report), expected);
    assert!(
        page.contains("No verdict changes along these values.")
            && page.contains("Some values have no verdict:")
    );
    assert!(
        summary.contains("12 rounds of 1 s at 200 to 800 votes/s"),
        "{summary}"
    );
    assert_eq!(
        summary.matches("typical vote? gRPC & more, by").count(),
        2,
        "{summary}"
    );
    assert_eq!(summary.matches("No verdict; the reasons follow.").count(), 1);
    let answers = serde_json::to_string(&answers::answer_sheet(&report)).unwrap();
    assert!(
        answers.contains("Some values of the sweep have no verdict. At 800"),
        "{answers}"
    );
    assert!(
        answers.contains("Algunos valores del barrido no tienen veredicto"),
        "{answers}"
    );
    assert!(!answers.contains("REST took less"), "{answers}");
}

#[test]
fn winner_change_is_in_the_answers_of_both_languages() {
    let (report, _) = synthetic_run(
        &format!("{PLAN}{SWEEP}"),
        &[[4.0, 3.0], [4.0, 4.0], [4.0, 6.0]],
        1,
    );
    let sheet = answers::answer_sheet(&report);
    let assert_contains = |answers: &[answers::Answer], part: &str| {
        let mut sentences = answers[1].sentences.iter();
        assert!(
            sentences.any(|sentence| sentence.contains(part)),
            "{part}: {answers:?}"
        );
    };
    assert_contains(
        &sheet.en,
        "median latency: gRPC & more better up to 200, equivalent from 400 on.",
    );
    assert_contains(
        &sheet.es,
        "en la mediana de la latencia: equivalentes hasta 400, mejor REST desde 800.",
    );
}

#[test]
fn diff_shows_changed_measures_and_different_conditions() {
    let (a, _) = synthetic_run(PLAN, &[[4.0, 3.0]], 1);
    let (b, _) = synthetic_run(&PLAN.replace("rate = 200", "rate = 300"), &[[4.0, 3.5]], 2);
    let diff = diff::diff(&a, &b).unwrap();
    let paths: Vec<&str> = diff
        .conditions
        .iter()
        .map(|condition| condition.path.as_str())
        .collect();
    assert_eq!(paths, ["plan.load.rate"]);
    let median_of = |subject: &str| {
        let p50 = |row: &&diff::Row| row.subject == subject && row.measure == Measure::P50;
        diff.rows.iter().find(p50).unwrap()
    };
    let change = median_of("gRPC & more − REST").change.unwrap();
    assert!(change.low > 0.4 && change.high < 0.6, "{change:?}");
    assert_eq!(median_of("gRPC & more").direction(), "higher");
    assert_eq!(diff.missing, Vec::<String>::new());
    assert!(diff::text(&diff).contains("plan.load.rate: 200.0, 300.0"));
}

/// The report of a run with searches, which found 2,000 votes/s for REST and 3,000 for gRPC.
fn run_with_searches(change: impl Fn(&mut Point)) -> Report {
    let plan = PLAN.replace("\"turns\"", "\"saturation\"\np99_bound_ms = 20");
    let (mut report, mut points) = synthetic_run(&plan, &[[4.0, 3.0]], 1);
    let mut random = fastrand::Rng::with_seed(1);
    for (variant, rate) in points[0].variants.iter_mut().zip([2_000.0, 3_000.0, 2_000.0]) {
        for block in &mut variant.blocks {
            block.search = Some(Search {
                rate: Some(rate * (0.99 + 0.02 * random.f64())),
                end: SearchEnd::Found,
            });
        }
    }
    change(&mut points[0]);
    let rule = report.rule();
    report.points = vec![summary::point(&points[0], &rule)];
    summary::conclude(&mut report);
    report
}

#[test]
fn only_the_found_rates_of_searches_are_compared() {
    let report = run_with_searches(|_| {});
    assert_eq!(report.all_no_verdict_reasons().count(), 0);
    let [comparison] = &report.points[0].pairs[0].comparisons[..] else {
        panic!("expected one comparison");
    };
    assert_eq!(
        (comparison.measure, comparison.verdict),
        (Measure::Throughput, Verdict::BBetter)
    );
    let page = html::page(&report).unwrap();
    assert!(page.contains("throughput of each block over time") && !page.contains("median latency of each"));
    assert!(text::summary(&report).contains("12 searches of each variant"));
    let answers = serde_json::to_string(&answers::answer_sheet(&report)).unwrap();
    assert!(
        answers.contains("answered more votes") && !answers.contains("Of the stages"),
        "{answers}"
    );
}

#[test]
fn search_that_the_load_generator_limits_is_a_reason_against_a_verdict() {
    let report = run_with_searches(|point| {
        let search = point.variants[1].blocks[0].search.as_mut().unwrap();
        search.end = SearchEnd::LoadGeneratorLimit;
    });
    let reasons = &report.points[0].no_verdict_reasons;
    assert!(
        reasons[0].contains("The load generator was the limit in 1 of 12 searches of gRPC & more"),
        "{reasons:?}"
    );
}

#[test]
fn page_of_searches_without_a_result_has_no_plots_of_latency() {
    let report = run_with_searches(|point| {
        for block in point.variants.iter_mut().flat_map(|variant| &mut variant.blocks) {
            block.samples.clear();
            block.search = Some(Search {
                rate: None,
                end: SearchEnd::NothingPassed,
            });
        }
    });
    assert!(
        report
            .all_no_verdict_reasons()
            .any(|reason| reason.contains("12 of 12 searches of REST found no rate"))
    );
    let page = html::page(&report).unwrap();
    assert!(!page.contains("Share of votes answered within a latency"));
    assert!(!page.contains("throughput of each block over time"));
}
