//! The options that configure the traffic of the demo.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// The options of `lab demo` besides those of the stack.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// How long to send votes, such as 60s or 5m
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = parse_duration)]
    pub(super) run_time: Duration,

    /// Number of concurrent users; each waits for the answer before it sends the next vote (closed loop)
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) users: u32,

    /// Seed for the random choice between the split path and native gRPC; the same seed repeats the same choices
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,

    /// Votes to send repeatedly: a JSON array, JSON lines or CSV [default: locust/votes/bandas_guatemala.json]
    #[arg(long, value_name = "FILE")]
    pub(super) votes_file: Option<PathBuf>,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a duration such as 60s or 5m".to_owned())?;
    let seconds = match unit {
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        _ => return Err(format!("unknown unit {unit:?}: use s or m")),
    };
    if seconds == 0 {
        Err("the duration must be at least 1s".to_owned())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_without_unit_is_in_seconds() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_mins(2)));
        for invalid in ["", "s", "0s", "1h", "-1s", "1.5s"] {
            assert!(parse_duration(invalid).is_err(), "{invalid}");
        }
    }
}
