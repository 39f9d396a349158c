//! A synthetic run: samples from a seeded random generator, analysed like those of a real run.

use std::collections::BTreeMap;
use std::time::Duration;

use analysis::decision_rule::DecisionRule;
use analysis::margin::Margin;
use analysis::observations::{Block, CountingDelayHistogram, Point, Usage, VariantData};
use analysis::report::model::{FORMAT, Finding, Machine, Report};
use analysis::summary;
use experiment_model::calibration::Calibration;
use experiment_model::plan::Plan;
use experiment_model::sample::{Outcome, Sample, ServerTiming, WireBytes};
use experiment_model::variant::Variant;
use uuid::Uuid;

/// A plan with two variants.
pub(crate) const PLAN: &str = r#"
name = "synthetic"
purpose = "REST <against> gRPC."
[design]
kind = "turns"
warm_up_s = 0
rounds = 12
block_s = 1
[load]
rate = 200
[[variants]]
name = "REST"
route = "rest"
version = "http1"
encoding = "json"
[[variants]]
name = "gRPC & more"
route = "grpc"
version = "h2c"
encoding = "grpc"
"#;

/// A sweep of three rates, to append to a plan.
pub(crate) const SWEEP: &str = r#"
[sweep]
key = "load.rate"
values = [200, 400, 800]
"#;

/// Median latencies of both variants, in ms.
pub(crate) type Medians = [f64; 2];

/// The report and the observations of a run of `plan` with these medians at each point.
pub(crate) fn synthetic_run(plan: &str, medians: &[Medians], seed: u64) -> (Report, Vec<Point>) {
    let plan = Plan::parse(plan).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let values = plan.points().unwrap().into_iter().map(|(value, _)| value);
    let points: Vec<Point> = values
        .zip(medians)
        .map(|(value, medians)| Point {
            value,
            variants: variants(&plan, medians, &mut random),
        })
        .collect();
    let margin = Margin::default();
    let rule = DecisionRule::of(&plan, margin.clone(), 0.95);
    let decided: Vec<_> = points.iter().map(|point| summary::point(point, &rule)).collect();
    let equal_values =
        |value: &str| [("rest", value), ("grpc", value)].map(|(name, value)| (name.into(), value.into()));
    let mut report = Report {
        format: FORMAT,
        run: format!("compare-synthetic-{seed}"),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        took_s: 30.0,
        machine: Machine {
            cores: 2,
            ..Machine::default()
        },
        calibration: Calibration::default(),
        confidence: rule.confidence,
        margin,
        fairness: vec![Finding {
            subject: "linger_ms".to_owned(),
            values: BTreeMap::from(equal_values("5")),
            fair: true,
            sentence: String::new(),
        }],
        no_verdict_reasons: Vec::new(),
        changes: Vec::new(),
        points: decided,
        reconciled: true,
        differences: None,
        plan,
    };
    summary::conclude(&mut report);
    (report, points)
}

fn variants(plan: &Plan, [rest, grpc]: &Medians, random: &mut fastrand::Rng) -> Vec<VariantData> {
    let [first, second] = &plan.variants[..] else {
        panic!("the plan must have two variants");
    };
    let data = |variant: &Variant, is_control, median, random: &mut fastrand::Rng| VariantData {
        variant: variant.clone(),
        is_control,
        blocks: (0..plan.design.rounds)
            .map(|round| block(variant, round, median, random))
            .collect(),
        cpu_blocks: Vec::new(),
    };
    vec![
        data(first, false, *rest, random),
        data(second, false, *grpc, random),
        data(first, true, *rest, random),
    ]
}

fn block(variant: &Variant, round: usize, median: f64, random: &mut fastrand::Rng) -> Block {
    let length = Duration::from_secs(1);
    let mut sample = |index: u32| {
        let latency = median * (0.9 + 0.2 * random.f64());
        Sample {
            intended: length * index / 200,
            scheduling_delay: Duration::from_micros(40),
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
        usage: variant.processes().map(|name| (name.to_owned(), usage)).collect(),
        wire: WireBytes {
            sent: 60_000,
            received: 40_000,
        },
        counting_delays: CountingDelayHistogram {
            buckets: vec![(0.05, 150), (0.1, 200), (f64::INFINITY, 200)],
            sum_s: 8.0,
        },
        search: None,
    }
}
