//! Calibration: measures the load generator against a loopback server in the same process. It shows the latency that the
//! load generator adds, and the highest rate that it reaches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use experiment_model::calibration::Calibration;
use experiment_model::plan::Plan;
use experiment_model::protocol::Encoding;
use experiment_model::sample::{Outcome, Sample};
use experiment_model::variant::Variant;
use proto::votes::Vote;
use quantile::{ascending_ms, nearest_rank};

use crate::codec;
use crate::load;
use crate::loopback_server::LoopbackServer;
use crate::schedule::send_times;
use crate::target::Target;
use crate::target_spec::TargetSpec;

/// Length of the closed-loop load that finds the highest rate.
const MAX_RATE_LENGTH: Duration = Duration::from_millis(500);
/// Length of the open-loop load at the plan's rate.
const PLAN_RATE_LENGTH: Duration = Duration::from_secs(1);
/// Clients of the closed-loop load.
const USERS: usize = 64;

/// Calibrates for each combination of client, HTTP version and encoding in the plan, and returns the worst results. Errors if the
/// plan's rate is more than half of the highest rate.
pub async fn measure(plan: &Plan, votes: &[Vote]) -> Result<Calibration> {
    let server = LoopbackServer::start()?;
    let mut calibration = Calibration {
        highest_rate: f64::INFINITY,
        ..Calibration::default()
    };
    let mut measured = BTreeSet::new();
    for variant in &plan.variants {
        // The loopback server has no streams, and a unary call costs the load generator more than a stream message.
        let encoding = match variant.encoding {
            Encoding::GrpcStream => Encoding::Grpc,
            other => other,
        };
        if !measured.insert((variant.client, variant.version, codec::content_type(encoding))) {
            continue;
        }
        let target = target(&server, plan, variant, encoding, votes).await?;
        let saturated = load::run_closed_loop(&target, USERS, MAX_RATE_LENGTH, 0).await?;
        calibration.highest_rate = calibration
            .highest_rate
            .min(latencies_ms(&saturated)?.len() as f64 / MAX_RATE_LENGTH.as_secs_f64());
        let Some(rate) = plan.requested_rate()? else {
            continue;
        };
        check_rate(rate, &calibration)?;
        let times = send_times(plan.load.arrival, rate, PLAN_RATE_LENGTH, plan.design.seed);
        let latencies = latencies_ms(&load::run_open_loop(&target, times, 0).await?)?;
        let quantile = |quantile| nearest_rank(&latencies, quantile).unwrap_or_default();
        calibration.overhead_p50_ms = calibration.overhead_p50_ms.max(quantile(0.5));
        calibration.overhead_p99_ms = calibration.overhead_p99_ms.max(quantile(0.99));
    }
    Ok(calibration)
}

fn check_rate(rate: f64, calibration: &Calibration) -> Result<()> {
    let (highest, usable) = (calibration.highest_rate, calibration.usable_rate());
    ensure!(
        rate <= usable,
        "the plan's rate of {rate:.0} votes/s is too high for this machine: against a server that answers at once, the load \
         generator reaches {highest:.0} votes/s, and its latencies are trustworthy up to half of that; lower load.rate (or \
         the sweep's values) to {usable:.0} or less, or use a machine with more processors"
    );
    Ok(())
}

/// Latencies in ms, ascending. Errors if a vote failed.
fn latencies_ms(samples: &[Sample]) -> Result<Vec<f64>> {
    for sample in samples {
        if let Outcome::Failed(reason) = &sample.outcome {
            anyhow::bail!("calibration failed: a vote to the loopback server failed: {reason}");
        }
    }
    Ok(ascending_ms(samples.iter().map(|sample| sample.latency)))
}

async fn target(
    server: &LoopbackServer,
    plan: &Plan,
    variant: &Variant,
    encoding: Encoding,
    votes: &[Vote],
) -> Result<Arc<Target>> {
    let mut connections = plan.connections(variant);
    // Opening a connection for each vote is a cost of the variant, not of the load generator.
    connections.reuse = true;
    let spec = TargetSpec {
        authority: &server.address().to_string(),
        prefix: "",
        version: variant.version,
        encoding,
        client: variant.client,
        connections,
        tls: None,
        authorization: None,
    };
    Ok(Arc::new(Target::open(spec, votes).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = include_str!("../../../compare/plans/quick.toml");

    #[tokio::test]
    async fn calibration_measures_rate_and_overhead_of_each_encoding() {
        let plan = Plan::parse(PLAN).unwrap();
        let vote = Vote {
            name: "Bohemia Suburbana".to_owned(),
            ..Vote::default()
        };
        let calibration = measure(&plan, &[vote]).await.unwrap();
        assert!(
            calibration.highest_rate.is_finite() && calibration.overhead_p50_ms > 0.0,
            "{calibration:?}"
        );
        assert!(calibration.overhead_p99_ms >= calibration.overhead_p50_ms);
    }

    #[tokio::test]
    async fn stock_clients_get_a_receipt_for_every_vote() {
        let stock = ["version = \"http1\"", "version = \"h2c\""]
            .map(|version| (version, format!("{version}\nclient = \"stock\"")));
        let text = stock.iter().fold(PLAN.to_owned(), |text, (version, stock)| {
            text.replace(version, stock)
        });
        let plan = Plan::parse(&text).unwrap();
        assert!(plan.variants.iter().all(Variant::is_stock));
        let calibration = measure(&plan, &[Vote::default()]).await.unwrap();
        assert!(calibration.highest_rate > 0.0, "{calibration:?}");
    }

    #[test]
    fn rate_beyond_half_of_the_highest_is_an_error_with_the_usable_rate() {
        let calibration = Calibration {
            highest_rate: 2_000.0,
            ..Calibration::default()
        };
        let error = check_rate(1_200.0, &calibration).unwrap_err().to_string();
        assert!(error.contains("1000 or less"), "{error}");
        assert!(check_rate(1_000.0, &calibration).is_ok());
    }
}
