//! Runs the rounds of a plan: warm-up, then the blocks of all variants, at the same time or in turns; in a saturation design,
//! searches for the highest rate of each variant. A plan can restart the services between rounds, and then repeats the
//! warm-up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use analysis::decision_rule::DecisionRule;
use analysis::knee;
use analysis::observations::{Point, VariantData};
use anyhow::Result;
use ephemeral_stack::Running;
use experiment_model::design::DesignKind;
use experiment_model::plan::Plan;
use experiment_model::sample::Sample;
use experiment_model::variant::{Route, Variant};
use futures::stream::{self, StreamExt, TryStreamExt};
use lab::progress::Step;
use lab::servers::Server;
use load_generator::votes;
use proto::votes::Vote;

use crate::consumer_metrics::ConsumerMetrics;
use crate::idle_servers;
use crate::monitor::Monitor;
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
            consumer: ConsumerMetrics::new(stack.access),
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

/// Warm-up of new processes. Kafka and the load generator are warm already.
const WARM_UP_AFTER_RESTART: Duration = Duration::from_millis(500);

/// The rounds of one process of each service.
struct ProcessRun<'a> {
    /// The part of the plan that the process serves.
    plan: &'a Plan,
    first_round: usize,
    first_cpu_round: usize,
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
        let name = value
            .as_ref()
            .map_or_else(|| "rounds".to_owned(), |value| format!("rounds at {value}"));
        let step = stack.progress.step(&name);
        let mut monitor = Monitor::new(self.rule, &step, plan.design.rounds);
        let mut variants: Vec<VariantData> = Vec::new();
        for process in 0..plan.design.processes {
            if process > 0 {
                step.update(&format!("process {} of {}", process + 1, plan.design.processes));
                self.restart_servers().await?;
            }
            let part = plan.of_process(process);
            let mut subjects = subject::open_all(&part, stack, &votes).await?;
            unanalysed.extend(self.warm_up(&subjects, process).await?);
            let process_run = ProcessRun {
                plan: &part,
                first_round: process * part.design.rounds,
                first_cpu_round: process * part.design.cpu_rounds,
            };
            unanalysed.extend(
                self.rounds(&process_run, &mut subjects, &step, &mut monitor)
                    .await?,
            );
            append(&mut variants, subject::close_all(subjects, stack).await?);
            monitor.finish_evaluation().await;
            if monitor.is_decided() {
                break;
            }
        }
        let rounds = variants.first().map_or(0, |variant| variant.blocks.len());
        let summary = monitor.summary(rounds);
        step.done(&summary);
        Ok(Point { value, variants })
    }

    /// Replaces the processes of the stack's servers that the variants use. Separate instances need
    /// no restart: each subject (a variant or the control) starts its own and stops it at the end.
    async fn restart_servers(&self) -> Result<()> {
        let variants = self.plan.variants_of_stack();
        let names: BTreeSet<&str> = variants.flat_map(Variant::processes).collect();
        for server in names.into_iter().filter_map(Server::from_name) {
            self.stack.restart_server(server).await?;
        }
        Ok(())
    }

    /// Runs the rounds of one process, and adds their blocks to the subjects. Returns the samples that are not analysed.
    async fn rounds(
        &self,
        process: &ProcessRun<'_>,
        subjects: &mut [Subject],
        step: &Step,
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<(Route, Vec<Sample>)>> {
        let (consumer, run_start) = (&self.consumer, self.run_start);
        let ProcessRun {
            plan, first_round, ..
        } = *process;
        let turns = |first_round| Turns {
            plan,
            consumer,
            run_start,
            first_round,
        };
        match plan.design.kind {
            DesignKind::Turns => {
                let blocks = turns(first_round).run(subjects, plan.design.rounds, step).await?;
                for (subject, blocks) in subjects.iter_mut().zip(blocks) {
                    subject.data.blocks = blocks;
                }
                Ok(Vec::new())
            }
            DesignKind::Saturation => {
                let saturation = Saturation {
                    plan,
                    consumer,
                    run_start,
                    usable_rate: self.usable_rate,
                    first_round,
                };
                saturation.run(subjects, step).await
            }
            DesignKind::Simultaneous => {
                let simultaneous = Simultaneous {
                    plan,
                    consumer,
                    run_start,
                    first_round,
                };
                let unanalysed = simultaneous.run(subjects, monitor).await?;
                if plan.measures_cpu_in_turns() {
                    let blocks = turns(process.first_cpu_round)
                        .run(subjects, plan.design.cpu_rounds, step)
                        .await?;
                    for (subject, blocks) in subjects.iter_mut().zip(blocks) {
                        subject.data.cpu_blocks = blocks;
                    }
                }
                Ok(unanalysed)
            }
        }
    }

    /// Sends load to all subjects: at the same time in a simultaneous design, otherwise in turns.
    /// After a restart, only the services are cold.
    async fn warm_up(&self, subjects: &[Subject], process: usize) -> Result<Vec<(Route, Vec<Sample>)>> {
        let length = Duration::from_secs_f64(self.plan.design.warm_up_s);
        let length = if process > 0 {
            length.min(WARM_UP_AFTER_RESTART)
        } else {
            length
        };
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

/// Adds the blocks of one process to those of the earlier ones.
fn append(all: &mut Vec<VariantData>, of_process: Vec<VariantData>) {
    if all.is_empty() {
        *all = of_process;
        return;
    }
    for (all, added) in all.iter_mut().zip(of_process) {
        all.blocks.extend(added.blocks);
        all.cpu_blocks.extend(added.cpu_blocks);
    }
}
