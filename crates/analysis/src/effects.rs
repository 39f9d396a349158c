//! The effect of each single choice. "gRPC against REST" mixes three choices: HTTP/2, protobuf, and gRPC's frames, headers
//! and trailers. Variants that differ in only one choice give the effect of that choice.

use experiment_model::protocol::{Encoding, Version};
use experiment_model::variant::{Route, Via};

use crate::comparison::Blocks;
use crate::decision_rule::DecisionRule;
use crate::measure::Measure;
use crate::report::model::{Choice, Effect, VariantReport};
use crate::stats::interval::Interval;
use crate::stats::monitoring::Looks;

type Corner = (Version, Encoding);

/// REST's corners of the 2 × 2 design of encoding and HTTP version.
const CORNERS: [[Corner; 2]; 2] = [
    [(Version::Http1, Encoding::Json), (Version::H2c, Encoding::Json)],
    [
        (Version::Http1, Encoding::Protobuf),
        (Version::H2c, Encoding::Protobuf),
    ],
];

/// A weighted sum of variants. Its location over the rounds is the effect.
struct Contrast<'a> {
    choice: Choice,
    terms: Vec<(f64, &'a VariantReport)>,
}

/// The effects that the variants of one point allow. REST's four corners give the main effects of HTTP/2 and protobuf and
/// their interaction; gRPC and REST with protobuf over HTTP/2 give the effect of gRPC.
pub fn effects(variants: &[VariantReport], rule: &DecisionRule) -> Vec<Effect> {
    let direct = |report: &&VariantReport| {
        !report.is_control && report.variant.via == Via::Direct && !report.variant.is_stock()
    };
    let find = |route, (version, encoding): Corner| {
        let mut direct = variants.iter().filter(direct);
        direct.find(|VariantReport { variant, .. }| {
            variant.route == route && variant.version == version && variant.encoding == encoding
        })
    };
    let corners = CORNERS.map(|row| row.map(|choice| find(Route::Rest, choice)));
    let grpc = find(Route::Grpc, (Version::H2c, Encoding::Grpc));
    let mut contrasts = Vec::new();
    if let [[Some(json1), Some(json2)], [Some(proto1), Some(proto2)]] = corners {
        contrasts.push(Contrast {
            choice: Choice::Http2,
            terms: vec![(0.5, json2), (0.5, proto2), (-0.5, json1), (-0.5, proto1)],
        });
        contrasts.push(Contrast {
            choice: Choice::Protobuf,
            terms: vec![(0.5, proto1), (0.5, proto2), (-0.5, json1), (-0.5, json2)],
        });
        contrasts.push(Contrast {
            choice: Choice::ProtobufOverHttp2,
            terms: vec![(1.0, proto2), (-1.0, json2), (-1.0, proto1), (1.0, json1)],
        });
    }
    if let (Some(grpc), Some(proto2)) = (grpc, corners[1][1]) {
        contrasts.push(Contrast {
            choice: Choice::Grpc,
            terms: vec![(1.0, grpc), (-1.0, proto2)],
        });
    }
    contrasts
        .iter()
        .filter_map(|contrast| contrast.effect(rule))
        .collect()
}

impl Contrast<'_> {
    fn effect(&self, rule: &DecisionRule) -> Option<Effect> {
        let terms = self.terms.iter().map(|(factor, variant)| {
            let sign = if *factor < 0.0 { "-" } else { "+" };
            let share = if factor.abs() < 1.0 { "½ " } else { "" };
            format!("{sign} {share}{}", variant.variant.name)
        });
        let contrast = terms.collect::<Vec<_>>().join(" ");
        Some(Effect {
            choice: self.choice,
            contrast: contrast.trim_start_matches("+ ").to_owned(),
            p50_ms: self.interval(Measure::P50, rule)?,
            cpu_s_per_million: self.interval(Measure::Cpu, rule)?,
        })
    }

    /// Computed round by round, because all variants of a round share the same noise.
    fn interval(&self, measure: Measure, rule: &DecisionRule) -> Option<Interval> {
        let blocks = |variant: &'_ VariantReport| Blocks::from(variant).of(measure).len();
        let rounds = self.terms.iter().map(|(_, variant)| blocks(variant)).min()?;
        let in_round = |round: usize| -> Option<f64> {
            let term = |(factor, variant): &(f64, &VariantReport)| {
                let block = Blocks::from(*variant).of(measure).get(round)?;
                Some(factor * measure.of(block)?)
            };
            self.terms.iter().map(term).sum()
        };
        let in_round = |round| Some((round, in_round(round)?));
        let values: Vec<(usize, f64)> = (0..rounds).filter_map(in_round).collect();
        let has_cpu_blocks = |(_, variant): &(f64, &VariantReport)| !variant.cpu_blocks.is_empty();
        let in_turns = measure == Measure::Cpu && self.terms.iter().any(has_cpu_blocks);
        let looks = if in_turns { Looks::Once } else { rule.looks };
        let z = looks.critical_z(rule.error_rate(), values.len());
        Some(rule.location(measure, &values, in_turns)?.interval(z))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use experiment_model::variant::{Implementation, Tls, Variant};

    use crate::margin::Margin;
    use crate::measure::BlockReport;
    use crate::stats::monitoring::Looks;

    /// A variant whose median starts at `p50` and rises by 0.1 ms in each round.
    fn variant(name: &str, route: Route, (version, encoding): Corner, p50: f64) -> VariantReport {
        let blocks = (0..6).map(|round| BlockReport {
            round,
            position: 0,
            started_s: 0.0,
            p50: Some(p50 + round as f64 / 10.0),
            p95: None,
            p99: None,
            throughput: None,
            cpu: Some(10.0 * p50),
            search_end: None,
        });
        VariantReport {
            variant: Variant {
                name: name.to_owned(),
                route,
                version,
                encoding,
                via: Via::Direct,
                service: Implementation::Ours,
                client: Implementation::Ours,
                reuse: None,
                tls: Tls::Off,
                in_flight: None,
                service_args: Vec::new(),
                url: None,
            },
            is_control: false,
            sent: 0,
            acknowledged: 0,
            failures: std::collections::BTreeMap::default(),
            scheduling_delay_ms: [0.0; 3],
            quantiles: Vec::new(),
            stages: None,
            cost: crate::report::model::Cost::default(),
            counting_delay: None,
            blocks: blocks.collect(),
            cpu_blocks: Vec::new(),
        }
    }

    #[test]
    fn effects_of_three_choices_are_separated() {
        // HTTP/2 adds 2 ms, protobuf saves 1 ms, both together save 0.5 ms more, and gRPC adds 3 ms.
        let variants = [
            variant("j1", Route::Rest, CORNERS[0][0], 10.0),
            variant("j2", Route::Rest, CORNERS[0][1], 12.0),
            variant("p1", Route::Rest, CORNERS[1][0], 9.0),
            variant("p2", Route::Rest, CORNERS[1][1], 10.5),
            variant("g", Route::Grpc, (Version::H2c, Encoding::Grpc), 13.5),
        ];
        let rule = DecisionRule {
            margin: Margin::uniform(0.05, 0.1),
            confidence: 0.95,
            looks: Looks::Once,
            measures: &Measure::ALL,
            rounds_per_process: None,
        };
        let all = effects(&variants, &rule);
        let estimates: Vec<f64> = all.iter().map(|effect| effect.p50_ms.estimate).collect();
        for (estimate, expected) in estimates.iter().zip([1.75, -1.25, -0.5, 3.0]) {
            assert!((estimate - expected).abs() < 1e-9, "{estimates:?}");
        }
        assert_eq!(all[3].contrast, "g - p2");
        assert_eq!(all[0].contrast, "½ j2 + ½ p2 - ½ j1 - ½ p1");
        assert_eq!(effects(&variants[..2], &rule), []);
    }
}
