//! Runs the blocks of a plan: warm-up, then rounds. In each round, every variant has one block; the first variant has a
//! second one, its control. The order is random in each round, so drift affects all variants alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analysis::knee;
use analysis::observations::{Block, Point, VariantData};
use anyhow::{Context, Result};
use ephemeral_stack::Running;
use experiment_model::plan::{PAUSE_BETWEEN_BLOCKS, Plan};
use experiment_model::sample::Sample;
use experiment_model::variant::{Route, Variant, Via};
use lab::endpoints::Endpoints;
use lab::servers::Server;
use load_generator::schedule::send_times;
use load_generator::target::{Target, TargetSpec};
use load_generator::{load, votes};
use proto::votes::Vote;

use crate::consumer_metrics::ConsumerMetrics;
use crate::usage::Processes;

/// The measurements of a run.
#[derive(Debug)]
pub struct Measurements {
    /// One set of blocks for each value of the plan's sweep, or a single one without a sweep.
    pub points: Vec<Point>,
    /// Samples of the warm-up by route: part of the reconciliation, but not of the analysis.
    pub warm_up: Vec<(Route, Vec<Sample>)>,
}

/// Runs every block of `plan` against a stack, and repeats `votes` as often as needed.
pub async fn run(plan: &Plan, stack: Running<'_>, votes: &[Vote]) -> Result<Measurements> {
    let run_start = Instant::now();
    let mut measurements = Measurements {
        points: Vec::new(),
        warm_up: Vec::new(),
    };
    for (value, plan_at_value) in plan.points()? {
        let options = plan_at_value.kafka.options();
        stack
            .set_additional_options(&[Server::Rest, Server::Grpc], &options)
            .await?;
        let point = PointRun {
            plan: &plan_at_value,
            stack,
            processes: Processes::of(stack)?,
            consumer: ConsumerMetrics::new(stack.endpoints),
            run_start,
        };
        let point = point.run(value, votes, &mut measurements.warm_up).await?;
        measurements.points.push(point);
        if plan
            .sweep
            .as_ref()
            .is_some_and(|sweep| knee::stops_sweep(sweep, &measurements.points))
        {
            break;
        }
    }
    Ok(measurements)
}

/// All blocks under the same conditions.
struct PointRun<'a> {
    plan: &'a Plan,
    stack: Running<'a>,
    processes: Processes,
    consumer: ConsumerMetrics,
    run_start: Instant,
}

impl PointRun<'_> {
    async fn run(
        &self,
        value: Option<String>,
        votes: &[Vote],
        warm_up: &mut Vec<(Route, Vec<Sample>)>,
    ) -> Result<Point> {
        let Self { plan, stack, .. } = self;
        let votes = votes::padded(votes, plan.load.payload_bytes);
        let mut variants = variants_and_control(plan);
        let mut targets = Vec::with_capacity(variants.len());
        for data in &variants {
            let target = open_target(plan, &data.variant, stack.endpoints, &votes).await;
            targets.push(Arc::new(
                target.with_context(|| format!("variant {}", data.variant.name))?,
            ));
        }
        let step_name = |step: &str| {
            value
                .as_ref()
                .map_or(step.to_owned(), |value| format!("{step} at {value}"))
        };
        let step = stack.progress.step(&step_name("warm-up"));
        for (number, (data, target)) in variants.iter().zip(&targets).enumerate() {
            let length = Duration::from_secs_f64(plan.design.warm_up_s);
            let samples = send_load(plan, target, length, number as u64).await?;
            warm_up.push((data.variant.route, samples));
        }
        step.done("done");

        let mut random = fastrand::Rng::with_seed(plan.design.seed);
        let step = stack.progress.step(&step_name("rounds"));
        for round in 0..plan.design.rounds {
            let mut order: Vec<usize> = (0..variants.len()).collect();
            random.shuffle(&mut order);
            // All blocks of a round share one schedule, so every variant gets the same bursts.
            let schedule_seed = random.u64(..);
            for (position, index) in order.into_iter().enumerate() {
                let (Some(data), Some(target)) = (variants.get_mut(index), targets.get(index)) else {
                    continue;
                };
                step.update(&format!(
                    "{} of {}: {}",
                    round + 1,
                    plan.design.rounds,
                    data.variant.name
                ));
                let mut block = self.block(&data.variant, target, schedule_seed).await?;
                (block.round, block.position) = (round, position);
                data.blocks.push(block);
            }
        }
        step.done(&format!(
            "{} rounds of {} blocks",
            plan.design.rounds,
            variants.len()
        ));
        Ok(Point { value, variants })
    }

    /// Runs one block and records the resources that it uses. During the pause after it, the consumer counts the last
    /// votes.
    async fn block(&self, variant: &Variant, target: &Arc<Target>, schedule_seed: u64) -> Result<Block> {
        target.reopen_closed().await?;
        let delays_before = self.consumer.counting_delays(variant.route).await?;
        let (usage_before, wire_before) = (self.processes.totals()?, target.wire_bytes());
        let (started, length) = (self.run_start.elapsed(), self.plan.block());
        let samples = send_load(self.plan, target, length, schedule_seed).await?;
        let wire = target.wire_bytes().since(wire_before);
        let usage = self.processes.totals()?.since(&usage_before);
        tokio::time::sleep(PAUSE_BETWEEN_BLOCKS).await;
        let delays = self.consumer.counting_delays(variant.route).await?;
        Ok(Block {
            round: 0,
            position: 0,
            started,
            length,
            samples,
            usage,
            wire,
            counting_delays: delays.since(&delays_before),
        })
    }
}

async fn send_load(
    plan: &Plan,
    target: &Arc<Target>,
    length: Duration,
    schedule_seed: u64,
) -> Result<Vec<Sample>> {
    let timing_every = plan.load.timing_every;
    if let Some(users) = plan.load.users {
        return load::run_closed_loop(target, users, length, timing_every).await;
    }
    let times = send_times(plan.load.arrival, plan.load.rate, length, schedule_seed);
    load::run_open_loop(target, times, timing_every).await
}

/// The variants of the plan, then the control.
fn variants_and_control(plan: &Plan) -> Vec<VariantData> {
    let empty = |variant: &Variant, is_control| VariantData {
        variant: variant.clone(),
        is_control,
        blocks: Vec::with_capacity(plan.design.rounds),
    };
    let control = plan.variants.first().map(|variant| empty(variant, true));
    plan.variants
        .iter()
        .map(|variant| empty(variant, false))
        .chain(control)
        .collect()
}

async fn open_target(
    plan: &Plan,
    variant: &Variant,
    endpoints: &Endpoints,
    votes: &[Vote],
) -> Result<Target> {
    let direct = match variant.route {
        Route::Rest => &endpoints.rest,
        Route::Grpc => &endpoints.grpc,
        Route::Bridge => &endpoints.bridge,
    };
    let (url, prefix) = match (variant.via, variant.route) {
        (Via::Direct, _) => (direct, ""),
        (Via::Ingress, Route::Rest) => (&endpoints.ingress, "/rest"),
        // The course assignment prescribes this prefix. It leads to the HTTP API of the bridge.
        (Via::Ingress, Route::Bridge) => (&endpoints.ingress, "/grpc"),
        (Via::Ingress, Route::Grpc) => (&endpoints.ingress, ""),
    };
    let url = variant.url.as_ref().unwrap_or(url);
    let spec = TargetSpec {
        authority: url.trim_start_matches("http://").trim_end_matches('/'),
        prefix,
        version: variant.version,
        encoding: variant.encoding,
        connections: plan.connections(variant),
    };
    Target::open(spec, votes).await
}
