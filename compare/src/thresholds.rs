//! The options for the margin and the confidence of the verdicts. Several commands share them.

use analysis::decision_rule::DecisionRule;
use analysis::measure::Margin;
use experiment_model::plan::Plan;

/// Options for the margin and the confidence.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Thresholds {
    /// Probability that no verdict is wrong, over all measures and variants of a point
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    confidence: f64,

    /// Smallest difference that matters, as a share of the first variant's value
    #[arg(long, default_value_t = Margin::DEFAULT.share, value_parser = parse_share)]
    margin: f64,

    /// Minimum margin of a latency, in milliseconds
    #[arg(long, default_value_t = Margin::DEFAULT.floor_ms, value_name = "MS")]
    margin_floor_ms: f64,
}

impl Thresholds {
    /// The decision rule of these options for a plan.
    pub fn decision_rule(self, plan: &Plan) -> DecisionRule {
        let margin = Margin {
            share: self.margin,
            floor_ms: self.margin_floor_ms,
        };
        DecisionRule::of(plan, margin, self.confidence)
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must be between 0 and 1".to_owned()),
    }
}
