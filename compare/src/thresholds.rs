//! How large a difference matters and how sure a word has to be: options of every command that judges.

use crate::judge::{Margin, Rules};

/// The options.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Thresholds {
    /// Share of intervals that hold the true value
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    confidence: f64,

    /// A difference matters from this share of the first arm's value on
    #[arg(long, default_value_t = Margin::DEFAULT.share, value_parser = parse_share)]
    margin: f64,

    /// And, for latencies, from so many milliseconds on
    #[arg(long, default_value_t = Margin::DEFAULT.floor_ms, value_name = "MS")]
    margin_floor_ms: f64,
}

impl Thresholds {
    /// The rules that they make; `seed` draws the blocks of the intervals.
    pub const fn rules(self, seed: u64) -> Rules {
        Rules {
            margin: Margin {
                share: self.margin,
                floor_ms: self.margin_floor_ms,
            },
            confidence: self.confidence,
            seed,
        }
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must lie between 0 and 1".to_owned()),
    }
}
