//! The options for the margin and the confidence of the verdicts. Several commands share them.

use analysis::decision_rule::DecisionRule;
use analysis::margin::Margin;
use analysis::measure::Measure;
use experiment_model::plan::Plan;

/// Options for the margin and the confidence.
#[derive(Clone, Debug, clap::Args)]
pub struct Thresholds {
    /// Probability that all verdicts under the same conditions are right, over all measures and variants
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    confidence: f64,

    /// Smallest difference that matters, as a share of the first variant's value: for one measure (p50, p95, p99,
    /// throughput, cpu), or for all; repeatable [default: 0.03 for p50, 0.15 for p95 and p99, 0.05 for the
    /// others]
    #[arg(long = "margin", value_name = "[MEASURE=]SHARE", value_parser = parse_margin)]
    margins: Vec<(Option<Measure>, f64)>,

    /// Minimum margin of a latency, in milliseconds
    #[arg(long, default_value_t = Margin::default().floor_ms, value_name = "MS")]
    margin_floor_ms: f64,
}

impl Thresholds {
    /// The decision rule of these options for a plan.
    pub fn decision_rule(&self, plan: &Plan) -> DecisionRule {
        let mut margin = Margin {
            floor_ms: self.margin_floor_ms,
            ..Margin::default()
        };
        for (measure, share) in &self.margins {
            for (other, value) in &mut margin.shares {
                if measure.is_none_or(|measure| measure == *other) {
                    *value = *share;
                }
            }
        }
        DecisionRule::of(plan, margin, self.confidence)
    }
}

fn parse_margin(text: &str) -> Result<(Option<Measure>, f64), String> {
    let Some((name, share)) = text.split_once('=') else {
        return Ok((None, parse_share(text)?));
    };
    let mut measures = Measure::ALL.into_iter();
    let measure = measures.find(|measure| measure.short_name().eq_ignore_ascii_case(name));
    let names = Measure::ALL.map(|measure| measure.short_name().to_lowercase());
    let measure = measure.ok_or_else(|| format!("{name} is not one of {}", names.join(", ")))?;
    Ok((Some(measure), parse_share(share)?))
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must be between 0 and 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_is_for_one_measure_or_for_all() {
        assert_eq!(parse_margin("0.02"), Ok((None, 0.02)));
        assert_eq!(parse_margin("cpu=0.1"), Ok((Some(Measure::Cpu), 0.1)));
        assert!(parse_margin("p90=0.1").unwrap_err().contains("p50, p95, p99"));
        assert!(parse_margin("p50=2").is_err());
    }
}
