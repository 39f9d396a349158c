//! The run itself: warm-up, then rounds. In each round every arm has one block, and the first arm one more as its own
//! control, in an order that is drawn anew: whatever drifts, drifts for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderValue};
use lab::endpoints::Endpoints;
use lab::progress::Progress;
use proto::votes::Vote;

use crate::data::{ArmData, Block, Counted, Point, WireBytes};
use crate::driver::lane::Lane;
use crate::driver::load::{self, Sample, Target};
use crate::driver::schedule::send_times;
use crate::plan::{Arm, Plan, Route, Via};
use crate::usage::Services;

/// Between two blocks: what the last one left behind (answers, batches of the consumer) is done.
const PAUSE: Duration = Duration::from_millis(300);

/// What a run has sent.
#[derive(Debug)]
pub struct Sent {
    /// One point, or one for each value of the plan's sweep.
    pub points: Vec<Point>,
    /// What went before the first round, by route: not measured, but counted.
    pub warm_up: Vec<(Route, Vec<Sample>)>,
}

/// Runs every block of `plan` against the services at `endpoints`, with `votes` in turn.
pub async fn run(
    plan: &Plan,
    endpoints: &Endpoints,
    votes: &Arc<[Vote]>,
    progress: &Progress,
) -> Result<Sent> {
    let started = Instant::now();
    let services = Services::new(endpoints);
    let mut arms = arms(plan);
    let mut targets = Vec::with_capacity(arms.len());
    for data in &arms {
        let target = target(plan, &data.arm, endpoints).await;
        targets.push(target.with_context(|| format!("arm {}", data.arm.name))?);
    }
    let step = progress.step("warm-up");
    let mut warm_up = Vec::with_capacity(arms.len());
    for (number, (data, target)) in arms.iter().zip(&targets).enumerate() {
        let length = Duration::from_secs_f64(plan.design.warm_up_s);
        let samples = block(plan, target, length, number as u64, votes).await?;
        warm_up.push((data.arm.route, samples));
    }
    step.done("done");

    let mut random = fastrand::Rng::with_seed(plan.design.seed);
    let step = progress.step("rounds");
    for round in 0..plan.design.rounds {
        let mut order: Vec<usize> = (0..arms.len()).collect();
        random.shuffle(&mut order);
        // One schedule for all blocks of a round: a burst that one arm gets, each gets.
        let schedule = random.u64(..);
        for (position, index) in order.into_iter().enumerate() {
            let (Some(data), Some(target)) = (arms.get_mut(index), targets.get(index)) else {
                continue;
            };
            step.update(&format!(
                "{} of {}: {}",
                round + 1,
                plan.design.rounds,
                data.arm.name
            ));
            let before = services.totals().await?;
            let block_started = started.elapsed();
            let samples = block(plan, target, plan.block(), schedule, votes).await?;
            let after = services.totals().await?;
            data.blocks.push(Block {
                round,
                position,
                started: block_started,
                length: plan.block(),
                samples,
                usage: after.since(&before),
                wire: WireBytes::default(),
                counted: Counted::default(),
            });
            tokio::time::sleep(PAUSE).await;
        }
    }
    step.done(&format!("{} rounds of {} blocks", plan.design.rounds, arms.len()));
    Ok(Sent {
        points: vec![Point { value: None, arms }],
        warm_up,
    })
}

async fn block(
    plan: &Plan,
    target: &Target,
    length: Duration,
    schedule: u64,
    votes: &Arc<[Vote]>,
) -> Result<Vec<Sample>> {
    if let Some(users) = plan.load.users {
        return load::run_closed(target, users, length, votes).await;
    }
    let times = send_times(plan.load.arrival, plan.load.rate, length, schedule);
    load::run(target, times, votes).await
}

/// The arms of the plan, then the control.
fn arms(plan: &Plan) -> Vec<ArmData> {
    let empty = |arm: &Arm, is_control| ArmData {
        arm: arm.clone(),
        is_control,
        blocks: Vec::with_capacity(plan.design.rounds),
    };
    let control = plan.arms.first().map(|arm| empty(arm, true));
    plan.arms
        .iter()
        .map(|arm| empty(arm, false))
        .chain(control)
        .collect()
}

async fn target(plan: &Plan, arm: &Arm, endpoints: &Endpoints) -> Result<Target> {
    let direct = match arm.route {
        Route::Rest => &endpoints.rest,
        Route::Grpc => &endpoints.grpc,
        Route::Bridge => &endpoints.bridge,
    };
    let (url, prefix) = match (arm.via, arm.route) {
        (Via::Direct, _) => (direct, ""),
        (Via::Ingress, Route::Rest) => (&endpoints.ingress, "/rest"),
        (Via::Ingress, Route::Bridge) => (&endpoints.ingress, "/grpc"),
        (Via::Ingress, Route::Grpc) => (&endpoints.ingress, ""),
    };
    let path = arm.encoding.path();
    let url = arm.url.as_ref().unwrap_or(url);
    let authority = url.trim_start_matches("http://");
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("dualpath-compare"));
    Ok(Target {
        lane: Arc::new(Lane::open(authority, arm.version, plan.connections(arm)).await?),
        authority: authority.to_owned(),
        path: format!("{prefix}{path}"),
        headers,
        encoding: arm.encoding,
    })
}
