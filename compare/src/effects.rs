//! What one choice does by itself. "gRPC against REST" mixes three: HTTP/2, protobuf, and gRPC's own frames, headers and
//! trailers. The plan's arms of one route and way are taken apart: two arms that differ in one choice give its effect.

use crate::driver::call::Encoding;
use crate::driver::lane::Version;
use crate::judge::{Measure, Rules};
use crate::plan::{Route, Via};
use crate::report::model::{ArmReport, BlockReport, Choice, Effect};
use crate::stats::bootstrap::{Interval, mean_interval};

type Corner = (Version, Encoding);

/// REST's corners of the 2 × 2.
const CORNERS: [[Corner; 2]; 2] = [
    [(Version::Http1, Encoding::Json), (Version::H2c, Encoding::Json)],
    [
        (Version::Http1, Encoding::Protobuf),
        (Version::H2c, Encoding::Protobuf),
    ],
];

/// A sum of arms with factors: its mean over the rounds is the effect.
struct Contrast<'a> {
    choice: Choice,
    terms: Vec<(f64, &'a ArmReport)>,
}

/// The effects that the arms of one point allow: with REST's four corners the main effects of HTTP/2 and protobuf and
/// their interaction, and with gRPC what it adds to protobuf over HTTP/2.
pub fn effects(arms: &[ArmReport], rules: Rules) -> Vec<Effect> {
    let direct = |arm: &&ArmReport| !arm.is_control && arm.arm.via == Via::Direct;
    let find = |route, (version, encoding): Corner| {
        let mut direct = arms.iter().filter(direct);
        direct
            .find(|arm| arm.arm.route == route && arm.arm.version == version && arm.arm.encoding == encoding)
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
        .filter_map(|contrast| contrast.effect(rules))
        .collect()
}

impl Contrast<'_> {
    fn effect(&self, rules: Rules) -> Option<Effect> {
        let terms = self.terms.iter().map(|(factor, arm)| {
            let sign = if *factor < 0.0 { "-" } else { "+" };
            let share = if factor.abs() < 1.0 { "½ " } else { "" };
            format!("{sign} {share}{}", arm.arm.name)
        });
        let contrast = terms.collect::<Vec<_>>().join(" ");
        Some(Effect {
            choice: self.choice,
            contrast: contrast.trim_start_matches("+ ").to_owned(),
            p50_ms: self.interval(Measure::P50, rules)?,
            cpu_s_per_million: self.interval(Measure::Cpu, rules)?,
        })
    }

    /// Round by round, as all arms of a round saw the same weather.
    fn interval(&self, measure: Measure, rules: Rules) -> Option<Interval> {
        let rounds = self.terms.iter().map(|(_, arm)| arm.blocks.len()).min()?;
        let in_round = |round: usize| -> Option<f64> {
            let term = |(factor, arm): &(f64, &ArmReport)| {
                let block: &BlockReport = arm.blocks.get(round)?;
                Some(factor * measure.of(block)?)
            };
            self.terms.iter().map(term).sum()
        };
        let values: Vec<f64> = (0..rounds).filter_map(in_round).collect();
        mean_interval(&values, rules.confidence, rules.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Margin;
    use crate::plan::Arm;

    /// An arm whose median is `p50` and a bit more in each round.
    fn arm(name: &str, route: Route, (version, encoding): Corner, p50: f64) -> ArmReport {
        let blocks = (0..6).map(|round| BlockReport {
            round,
            position: 0,
            started_s: 0.0,
            p50: Some(p50 + round as f64 / 10.0),
            p95: None,
            p99: None,
            throughput: None,
            cpu: Some(10.0 * p50),
        });
        ArmReport {
            arm: Arm {
                name: name.to_owned(),
                route,
                version,
                encoding,
                via: Via::Direct,
                reuse: None,
                url: None,
            },
            is_control: false,
            sent: 0,
            acknowledged: 0,
            failures: std::collections::BTreeMap::default(),
            lag_ms: [0.0; 3],
            quantiles: Vec::new(),
            stages: None,
            cost: crate::report::model::Cost::default(),
            counted: None,
            blocks: blocks.collect(),
        }
    }

    #[test]
    fn three_choices_are_told_apart() {
        // HTTP/2 costs 2, protobuf saves 1, both together save 0.5 more, gRPC costs 3.
        let arms = [
            arm("j1", Route::Rest, CORNERS[0][0], 10.0),
            arm("j2", Route::Rest, CORNERS[0][1], 12.0),
            arm("p1", Route::Rest, CORNERS[1][0], 9.0),
            arm("p2", Route::Rest, CORNERS[1][1], 10.5),
            arm("g", Route::Grpc, (Version::H2c, Encoding::Grpc), 13.5),
        ];
        let rules = Rules {
            margin: Margin {
                share: 0.05,
                floor_ms: 0.1,
            },
            confidence: 0.95,
            seed: 1,
        };
        let all = effects(&arms, rules);
        let estimates: Vec<f64> = all.iter().map(|effect| effect.p50_ms.estimate).collect();
        for (estimate, expected) in estimates.iter().zip([1.75, -1.25, -0.5, 3.0]) {
            assert!((estimate - expected).abs() < 1e-9, "{estimates:?}");
        }
        assert_eq!(all[3].contrast, "g - p2");
        assert_eq!(all[0].contrast, "½ j2 + ½ p2 - ½ j1 - ½ p1");
        assert_eq!(effects(&arms[..2], rules), []);
    }
}
