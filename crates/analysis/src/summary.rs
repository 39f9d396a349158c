//! From the observations of a run to its report: means, quantiles and costs of each variant, then the verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use experiment_model::sample::{Outcome, Sample, ServerTiming};
use experiment_model::variant::Variant;
use quantile::{ascending_ms, nearest_rank};

use crate::decision_rule::DecisionRule;
use crate::decisions::Decisions;
use crate::effects::effects;
use crate::measure::BlockReport;
use crate::no_verdict::{reasons_of_point, reasons_of_run};
use crate::observations::{Block, CountingDelayHistogram, Point, Usage, VariantData};
use crate::report::model::{Cost, CountingDelay, PointReport, Report, Stages, VariantReport};
use crate::winner_changes::winner_changes;

const MIB: f64 = 1024.0 * 1024.0;
const MILLION: f64 = 1e6;

/// Summarizes the variants of a point and decides on them.
pub fn point(point: &Point, rule: &DecisionRule) -> PointReport {
    decided(
        point.value.clone(),
        point.variants.iter().map(variant_report).collect(),
        rule,
    )
}

/// Decides on the variants of a point: the first against its control and against each other variant.
fn decided(value: Option<String>, variants: Vec<VariantReport>, rule: &DecisionRule) -> PointReport {
    let decisions = Decisions::of(&variants, rule);
    PointReport {
        value,
        control_holds: decisions.control_holds(),
        no_verdict_reasons: Vec::new(),
        pairs: decisions.pairs,
        effects: effects(&variants, rule),
        control: decisions.control,
        variants,
    }
}

/// Adds to a report what follows from its points: the reasons against a verdict, and where the winner changes.
pub fn conclude(report: &mut Report) {
    let usable_rate = report.calibration.usable_rate();
    for point in &mut report.points {
        point.no_verdict_reasons = reasons_of_point(point, usable_rate);
    }
    report.no_verdict_reasons = reasons_of_run(report);
    let with_verdict: Vec<&PointReport> = report.points_with_verdict().collect();
    report.changes = winner_changes(&with_verdict);
}

/// Repeats the decisions of a report from its blocks, with a different rule.
pub fn decide_again(report: &mut Report, rule: &DecisionRule) {
    (report.margin, report.confidence) = (rule.margin.clone(), rule.confidence);
    let points = std::mem::take(&mut report.points).into_iter();
    report.points = points
        .map(|point| decided(point.value, point.variants, rule))
        .collect();
    conclude(report);
}

fn variant_report(data: &VariantData) -> VariantReport {
    let samples = || data.blocks.iter().flat_map(|block| &block.samples);
    let latencies = ascending_ms(
        samples()
            .filter(|sample| sample.is_acknowledged())
            .map(|sample| sample.latency),
    );
    let delays = ascending_ms(samples().map(|sample| sample.scheduling_delay));
    let mut failures = BTreeMap::new();
    for sample in samples() {
        if let Outcome::Failed(reason) = &sample.outcome {
            *failures.entry(reason.clone()).or_insert(0) += 1;
        }
    }
    let delay = |quantile| nearest_rank(&delays, quantile).unwrap_or_default();
    VariantReport {
        variant: data.variant.clone(),
        is_control: data.is_control,
        sent: samples().count(),
        acknowledged: latencies.len(),
        failures,
        scheduling_delay_ms: [delay(0.5), delay(0.99), delay(1.0)],
        quantiles: curve(&latencies),
        stages: stages(samples()),
        cost: cost(data),
        counting_delay: counting_delay(data.blocks.iter().map(|block| &block.counting_delays)),
        blocks: data
            .blocks
            .iter()
            .map(|block| block_report(block, &data.variant))
            .collect(),
        cpu_blocks: data
            .cpu_blocks
            .iter()
            .map(|block| block_report(block, &data.variant))
            .collect(),
    }
}

/// The value of each measure in a block.
pub fn block_report(block: &Block, variant: &Variant) -> BlockReport {
    if let Some(search) = block.search {
        return BlockReport {
            round: block.round,
            position: block.position,
            started_s: block.started.as_secs_f64(),
            p50: None,
            p95: None,
            p99: None,
            throughput: search.rate,
            cpu: None,
            search_end: Some(search.end),
        };
    }
    let acknowledged = block.samples.iter().filter(|sample| sample.is_acknowledged());
    let latencies = ascending_ms(acknowledged.map(|sample| sample.latency));
    let votes = latencies.len() as f64;
    // Votes answered after the block's end do not count towards its throughput.
    let in_time =
        |sample: &&Sample| sample.is_acknowledged() && sample.intended + sample.latency <= block.length;
    let in_time = block.samples.iter().filter(in_time).count() as f64;
    let per_vote = |amount: f64| (votes > 0.0).then(|| amount / votes);
    BlockReport {
        round: block.round,
        position: block.position,
        started_s: block.started.as_secs_f64(),
        p50: nearest_rank(&latencies, 0.50),
        p95: nearest_rank(&latencies, 0.95),
        p99: nearest_rank(&latencies, 0.99),
        throughput: (votes > 0.0).then(|| in_time / block.length.as_secs_f64()),
        cpu: cpu_s(block, variant).and_then(|cpu_s| per_vote(cpu_s * MILLION)),
        search_end: None,
    }
}

/// The arithmetic mean; `None` without values.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Quantiles of ascending values: every hundredth, and finer ones in the tail as long as enough values remain.
fn curve(ascending: &[f64]) -> Vec<(f64, f64)> {
    let hundredths = (0..100).map(|index| f64::from(index) / 100.0);
    let tails = (2..).map(|power| 1.0 - 0.1_f64.powi(power));
    let count = ascending.len() as f64;
    let fine = tails
        .take_while(|quantile| (1.0 - quantile) * count >= 1.0)
        .flat_map(|quantile| [0.0, 0.5, 0.8].map(|part| quantile + (1.0 - quantile) * part))
        .skip(1);
    hundredths
        .chain(fine)
        .chain([1.0])
        .filter_map(|quantile| Some((quantile, nearest_rank(ascending, quantile)?)))
        .collect()
}

fn stages<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<Stages> {
    let timed: Vec<(f64, ServerTiming)> = samples
        .filter(|sample| sample.is_acknowledged())
        .filter_map(|sample| Some((milliseconds(sample.latency), sample.server?)))
        .collect();
    let mean_of = |pick: fn(&ServerTiming) -> f64| {
        mean(&timed.iter().map(|(_, server)| pick(server)).collect::<Vec<_>>())
    };
    let client = mean(&timed.iter().map(|(client, _)| *client).collect::<Vec<_>>())?;
    let total = mean_of(|server| server.total)?;
    let [decode, validate, encode, publish, reply] = [
        mean_of(|server| server.decode)?,
        mean_of(|server| server.validate)?,
        mean_of(|server| server.encode)?,
        mean_of(|server| server.publish)?,
        mean_of(|server| server.reply)?,
    ];
    Some(Stages {
        votes: timed.len(),
        client,
        network_and_proxy: client - total,
        decode,
        validate,
        encode,
        publish,
        reply,
        residual: total - decode - validate - encode - publish - reply,
    })
}

/// The usage of the variant's processes in a block; `None` if it was not measured.
fn process_usage<'a>(block: &'a Block, variant: &Variant) -> Option<impl Iterator<Item = &'a Usage>> {
    let is_measured = variant.url.is_none() && !block.usage.is_empty();
    is_measured.then(|| block.usage.values())
}

fn cpu_s(block: &Block, variant: &Variant) -> Option<f64> {
    Some(process_usage(block, variant)?.map(|usage| usage.cpu_s).sum())
}

fn cost(data: &VariantData) -> Cost {
    let VariantData {
        variant,
        blocks,
        cpu_blocks,
        ..
    } = data;
    let acknowledged = |blocks: &[Block]| {
        let samples = blocks.iter().flat_map(|block| &block.samples);
        samples.filter(|sample| sample.is_acknowledged()).count() as f64
    };
    let votes = acknowledged(blocks);
    if votes == 0.0 {
        return Cost::default();
    }
    let memory = blocks.iter().filter_map(|block| {
        Some(
            process_usage(block, variant)?
                .map(|usage| usage.rss_bytes)
                .sum::<u64>(),
        )
    });
    let cpu_source = if cpu_blocks.is_empty() { blocks } else { cpu_blocks };
    let cpu: Option<f64> = cpu_source.iter().map(|block| cpu_s(block, variant)).sum();
    // Stock clients do not count their bytes.
    let mib_per_million = |pick: fn(&Block) -> u64| {
        let bytes = blocks.iter().map(pick).sum::<u64>() as f64;
        variant.client.is_ours().then_some(bytes / MIB / votes * MILLION)
    };
    Cost {
        cpu_s_per_million: cpu.map(|cpu_s| cpu_s / acknowledged(cpu_source) * MILLION),
        memory_mib: memory.max().map(|bytes| bytes as f64 / MIB),
        sent_mib_per_million: mib_per_million(|block| block.wire.sent),
        received_mib_per_million: mib_per_million(|block| block.wire.received),
    }
}

fn counting_delay<'a>(histograms: impl Iterator<Item = &'a CountingDelayHistogram>) -> Option<CountingDelay> {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut sum_s = 0.0;
    for histogram in histograms {
        sum_s += histogram.sum_s;
        if buckets.is_empty() {
            buckets.clone_from(&histogram.buckets);
        } else {
            for ((_, total), (_, votes)) in buckets.iter_mut().zip(&histogram.buckets) {
                *total += votes;
            }
        }
    }
    let votes = buckets
        .last()
        .map(|(_, votes)| *votes)
        .filter(|&votes| votes > 0)?;
    Some(CountingDelay {
        votes,
        mean_ms: sum_s / votes as f64 * 1e3,
        p50_ms: interpolated_quantile(&buckets, 0.50)? * 1e3,
        p99_ms: interpolated_quantile(&buckets, 0.99)? * 1e3,
    })
}

/// A quantile by linear interpolation within its bucket, as Prometheus computes it; the last finite bound if the quantile
/// lies in the infinite bucket.
fn interpolated_quantile(buckets: &[(f64, u64)], quantile: f64) -> Option<f64> {
    let rank = quantile * buckets.last()?.1 as f64;
    let (mut bound_before, mut votes_before) = (0.0, 0);
    for &(bound, votes) in buckets {
        if votes as f64 >= rank {
            if bound.is_infinite() {
                return Some(bound_before);
            }
            let inside = (votes - votes_before).max(1) as f64;
            return Some(bound_before + (bound - bound_before) * (rank - votes_before as f64) / inside);
        }
        (bound_before, votes_before) = (bound, votes);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_rises_and_ends_with_the_largest_value() {
        let values: Vec<f64> = (1..=20_000).map(f64::from).collect();
        let curve = curve(&values);
        assert!(
            curve
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
            "{curve:?}"
        );
        assert_eq!(curve.last(), Some(&(1.0, 20_000.0)));
        assert!(curve.iter().any(|(quantile, _)| (quantile - 0.9999).abs() < 1e-9));
        assert_eq!(super::curve(&[]), []);
    }

    #[test]
    fn quantile_is_interpolated_within_its_bucket() {
        let buckets = [(0.1, 10), (0.2, 30), (f64::INFINITY, 40)];
        assert!((interpolated_quantile(&buckets, 0.5).unwrap() - 0.15).abs() < 1e-9);
        assert_eq!(interpolated_quantile(&buckets, 0.99), Some(0.2));
        assert_eq!(interpolated_quantile(&[], 0.5), None);
    }

    #[test]
    fn stage_times_add_up_to_the_client_time() {
        let sample = |latency_ms, server| Sample {
            intended: Duration::ZERO,
            scheduling_delay: Duration::ZERO,
            latency: Duration::from_millis(latency_ms),
            outcome: Outcome::Acknowledged(uuid::Uuid::nil()),
            server,
        };
        let server = ServerTiming {
            decode: 0.1,
            validate: 0.2,
            encode: 0.3,
            publish: 4.0,
            reply: 0.1,
            total: 5.0,
        };
        let samples = [
            sample(7, Some(server)),
            sample(9, Some(server)),
            sample(100, None),
        ];
        let stages = stages(samples.iter()).unwrap();
        assert_eq!((stages.votes, stages.client), (2, 8.0));
        let Stages {
            network_and_proxy,
            decode,
            validate,
            encode,
            publish,
            reply,
            residual,
            ..
        } = stages;
        let sum = network_and_proxy + decode + validate + encode + publish + reply + residual;
        assert!((sum - stages.client).abs() < 1e-9);
        assert!((network_and_proxy - 3.0).abs() < 1e-9 && (residual - 0.3).abs() < 1e-9);
    }
}
