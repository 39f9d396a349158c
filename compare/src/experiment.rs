//! The run itself: warm-up, then rounds. In each round every arm has one block, and the first arm one more as its own
//! control, in an order that is drawn anew: whatever drifts, drifts for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::endpoints::Endpoints;
use lab::servers::Server;
use proto::votes::Vote;

use crate::counted::Consumer;
use crate::data::{ArmData, Block, Point, WireBytes};
use crate::driver::load::{self, Sample};
use crate::driver::schedule::send_times;
use crate::driver::target::{Spec, Target};
use crate::plan::{Arm, Plan, Route, Via};
use crate::usage::Processes;
use crate::votes;
use ephemeral_stack::Running;

/// Between two blocks: what the last one left behind (answers, batches of the consumer) is done.
pub const PAUSE: Duration = Duration::from_millis(300);

/// What a run has sent.
#[derive(Debug)]
pub struct Sent {
    /// One point, or one for each value of the plan's sweep.
    pub points: Vec<Point>,
    /// What went before the first round, by route: not measured, but counted.
    pub warm_up: Vec<(Route, Vec<Sample>)>,
}

/// Runs every block of `plan` against a stack, with `votes` in turn.
pub async fn run(plan: &Plan, stack: Running<'_>, votes: &[Vote]) -> Result<Sent> {
    let started = Instant::now();
    let mut sent = Sent {
        points: Vec::new(),
        warm_up: Vec::new(),
    };
    for (value, at_value) in plan.points()? {
        let options = at_value.kafka.options();
        stack.add_options(&[Server::Rest, Server::Grpc], &options).await?;
        let run = PointRun {
            plan: &at_value,
            stack,
            processes: Processes::of(stack)?,
            consumer: Consumer::new(stack.endpoints),
            started,
        };
        sent.points.push(run.all(value, votes, &mut sent.warm_up).await?);
        if plan
            .sweep
            .as_ref()
            .is_some_and(|sweep| sweep.is_over(&sent.points))
        {
            break;
        }
    }
    Ok(sent)
}

/// All blocks under the same conditions.
struct PointRun<'a> {
    plan: &'a Plan,
    stack: Running<'a>,
    processes: Processes,
    consumer: Consumer,
    /// The start of the whole run.
    started: Instant,
}

impl PointRun<'_> {
    async fn all(
        &self,
        value: Option<String>,
        votes: &[Vote],
        warm_up: &mut Vec<(Route, Vec<Sample>)>,
    ) -> Result<Point> {
        let Self { plan, stack, .. } = self;
        let votes = votes::padded(votes, plan.load.payload_bytes);
        let mut arms = arms(plan);
        let mut targets = Vec::with_capacity(arms.len());
        for data in &arms {
            let target = target(plan, &data.arm, stack.endpoints, &votes).await;
            targets.push(Arc::new(
                target.with_context(|| format!("arm {}", data.arm.name))?,
            ));
        }
        let name = |step: &str| {
            value
                .as_ref()
                .map_or(step.to_owned(), |value| format!("{step} at {value}"))
        };
        let step = stack.progress.step(&name("warm-up"));
        for (number, (data, target)) in arms.iter().zip(&targets).enumerate() {
            let length = Duration::from_secs_f64(plan.design.warm_up_s);
            let samples = load_for(plan, target, length, number as u64).await?;
            warm_up.push((data.arm.route, samples));
        }
        step.done("done");

        let mut random = fastrand::Rng::with_seed(plan.design.seed);
        let step = stack.progress.step(&name("rounds"));
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
                let mut block = self.block(&data.arm, target, schedule).await?;
                (block.round, block.position) = (round, position);
                data.blocks.push(block);
            }
        }
        step.done(&format!("{} rounds of {} blocks", plan.design.rounds, arms.len()));
        Ok(Point { value, arms })
    }

    /// A block with all that was seen around it. The pause behind it lets the consumer count the last votes.
    async fn block(&self, arm: &Arm, target: &Arc<Target>, schedule: u64) -> Result<Block> {
        target.renew().await?;
        let counted = self.consumer.counted(arm.route).await?;
        let (usage, wire) = (self.processes.totals()?, target.wire());
        let (started, length) = (self.started.elapsed(), self.plan.block());
        let samples = load_for(self.plan, target, length, schedule).await?;
        let wire_after = target.wire();
        let usage = self.processes.totals()?.since(&usage);
        tokio::time::sleep(PAUSE).await;
        Ok(Block {
            round: 0,
            position: 0,
            started,
            length,
            samples,
            usage,
            wire: WireBytes {
                sent: wire_after.sent - wire.sent,
                received: wire_after.received - wire.received,
            },
            counted: self.consumer.counted(arm.route).await?.since(&counted),
        })
    }
}

async fn load_for(plan: &Plan, target: &Arc<Target>, length: Duration, schedule: u64) -> Result<Vec<Sample>> {
    let timing_every = plan.load.timing_every;
    if let Some(users) = plan.load.users {
        return load::run_closed(target, users, length, timing_every).await;
    }
    let times = send_times(plan.load.arrival, plan.load.rate, length, schedule);
    load::run(target, times, timing_every).await
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

async fn target(plan: &Plan, arm: &Arm, endpoints: &Endpoints, votes: &[Vote]) -> Result<Target> {
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
    let url = arm.url.as_ref().unwrap_or(url);
    let spec = Spec {
        authority: url.trim_start_matches("http://").trim_end_matches('/'),
        prefix,
        version: arm.version,
        encoding: arm.encoding,
        connections: plan.connections(arm),
    };
    Target::open(spec, votes).await
}
