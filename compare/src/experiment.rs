//! Runs the rounds of a plan: warm-up, then the blocks of all variants, at the same time or in turns, or their searches.

use std::time::{Duration, Instant};

use analysis::decision_rule::DecisionRule;
use analysis::knee;
use analysis::observations::Point;
use anyhow::Result;
use ephemeral_stack::Running;
use experiment_model::design::DesignKind;
use experiment_model::plan::Plan;
use experiment_model::sample::Sample;
use experiment_model::variant::Route;
use futures::stream::{self, StreamExt, TryStreamExt};
use lab::servers::Server;
use load_generator::votes;
use proto::votes::Vote;

use crate::consumer_metrics::ConsumerMetrics;
use crate::idle_servers;
use crate::saturation::Saturation;
use crate::simultaneous::Simultaneous;
use crate::subject::{self, Subject};
use crate::turns::{Turns, send_load};

/// The measurements of a run.
#[derive(Debug)]
pub struct Measurements {
    /// One set of blocks for each value of the plan's sweep, or a single one without a sweep.
    pub points: Vec<Point>,
    /// Samples by route that are part of the reconciliation, but not of the analysis: the warm-up, rounds that were not
    /// completed, and the blocks of a search at other rates than the found one.
    pub unanalysed: Vec<(Route, Vec<Sample>)>,
}

/// Runs `plan` against a stack, and repeats `votes` as often as needed. With a `rule`, a simultaneous design stops as soon
/// as it has decided every comparison. No search exceeds `usable_rate`, the highest rate at which the load generator is
/// trustworthy.
pub async fn run(
    plan: &Plan,
    stack: Running<'_>,
    votes: &[Vote],
    rule: Option<&DecisionRule>,
    usable_rate: f64,
) -> Result<Measurements> {
    idle_servers::stop(plan, stack).await?;
    let run_start = Instant::now();
    let mut measurements = Measurements {
        points: Vec::new(),
        unanalysed: Vec::new(),
    };
    for (value, plan_at_value) in plan.points()? {
        let options = plan_at_value.kafka.options();
        stack
            .set_additional_options(&[Server::Rest, Server::Grpc], &options)
            .await?;
        let point = PointRun {
            plan: &plan_at_value,
            stack,
            consumer: ConsumerMetrics::new(stack.endpoints),
            run_start,
            rule,
            usable_rate,
        };
        let point = point.run(value, votes, &mut measurements.unanalysed).await?;
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

/// All rounds under the same conditions.
struct PointRun<'a> {
    plan: &'a Plan,
    stack: Running<'a>,
    consumer: ConsumerMetrics,
    run_start: Instant,
    rule: Option<&'a DecisionRule>,
    usable_rate: f64,
}

impl PointRun<'_> {
    async fn run(
        &self,
        value: Option<String>,
        votes: &[Vote],
        unanalysed: &mut Vec<(Route, Vec<Sample>)>,
    ) -> Result<Point> {
        let Self { plan, stack, .. } = *self;
        let votes = votes::padded(votes, plan.load.payload_bytes);
        let mut subjects = subject::open_all(plan, stack, &votes).await?;
        let step_name = |step: &str| {
            value
                .as_ref()
                .map_or(step.to_owned(), |value| format!("{step} at {value}"))
        };
        let step = stack.progress.step(&step_name("warm-up"));
        unanalysed.extend(self.warm_up(&subjects).await?);
        step.done("done");

        let turns = Turns {
            plan,
            consumer: &self.consumer,
            run_start: self.run_start,
        };
        let step = stack.progress.step(&step_name("rounds"));
        match plan.design.kind {
            DesignKind::Turns => {
                let blocks = turns.run(&subjects, plan.design.rounds, &step).await?;
                for (subject, blocks) in subjects.iter_mut().zip(blocks) {
                    subject.data.blocks = blocks;
                }
                step.done(&format!("{} rounds", plan.design.rounds));
            }
            DesignKind::Saturation => {
                let saturation = Saturation {
                    plan,
                    consumer: &self.consumer,
                    run_start: self.run_start,
                    usable_rate: self.usable_rate,
                };
                unanalysed.extend(saturation.run(&mut subjects, &step).await?);
                step.done(&format!("{} searches of each variant", plan.design.rounds));
            }
            DesignKind::Simultaneous => {
                let simultaneous = Simultaneous {
                    plan,
                    consumer: &self.consumer,
                    run_start: self.run_start,
                    rule: self.rule,
                };
                unanalysed.extend(simultaneous.run(&mut subjects, step).await?);
                if plan.shares_processes() {
                    let step = stack.progress.step(&step_name("CPU time in turns"));
                    let blocks = turns.run(&subjects, plan.design.cpu_rounds, &step).await?;
                    for (subject, blocks) in subjects.iter_mut().zip(blocks) {
                        subject.data.cpu_blocks = blocks;
                    }
                    step.done(&format!("{} rounds", plan.design.cpu_rounds));
                }
            }
        }
        let variants = subject::close_all(subjects, stack).await?;
        Ok(Point { value, variants })
    }

    /// Sends load to all subjects: at the same time in a simultaneous design, otherwise in turns.
    async fn warm_up(&self, subjects: &[Subject]) -> Result<Vec<(Route, Vec<Sample>)>> {
        let length = Duration::from_secs_f64(self.plan.design.warm_up_s);
        let loads = subjects.iter().enumerate().map(|(number, subject)| async move {
            let samples = send_load(self.plan, &subject.target, length, number as u64).await?;
            anyhow::Ok((subject.data.variant.route, samples))
        });
        let concurrent = match self.plan.design.kind {
            DesignKind::Simultaneous => subjects.len(),
            DesignKind::Turns | DesignKind::Saturation => 1,
        };
        stream::iter(loads).buffered(concurrent).try_collect().await
    }
}
