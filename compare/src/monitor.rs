//! Watches the decisions of a simultaneous run: shows how the intervals shrink, and says when every measure is decided.

use analysis::decision_rule::DecisionRule;
use analysis::decisions::Decisions;
use analysis::measure::BlockReport;
use analysis::report::model::VariantReport;
use analysis::report::progress;
use analysis::summary;
use lab::progress::Step;
use tokio::sync::oneshot;

use crate::subject::Subject;

/// Decisions are computed at most this many times for each value of a sweep, because each time takes some milliseconds of a processor.
const MAX_EVALUATIONS: usize = 20;

/// Watches the decisions of a simultaneous run.
#[derive(Debug)]
pub struct Monitor<'a> {
    rule: Option<&'a DecisionRule>,
    step: &'a Step,
    planned: usize,
    /// The variants with the blocks of complete rounds.
    variants: Vec<VariantReport>,
    rounds: usize,
    evaluation: Option<oneshot::Receiver<Decisions>>,
    is_decided: bool,
}

impl<'a> Monitor<'a> {
    /// A monitor for `planned` rounds; without a rule it only counts them.
    pub const fn new(rule: Option<&'a DecisionRule>, step: &'a Step, planned: usize) -> Self {
        Self {
            rule,
            step,
            planned,
            variants: Vec::new(),
            rounds: 0,
            evaluation: None,
            is_decided: false,
        }
    }

    /// Takes the last block of each subject into account.
    pub fn add_round(&mut self, subjects: &[Subject]) {
        if self.variants.is_empty() {
            self.variants = subjects
                .iter()
                .map(|subject| VariantReport::empty(&subject.data.variant, subject.data.is_control))
                .collect();
        }
        let blocks = subjects.iter().map(|subject| {
            let block = subject.data.blocks.last();
            block.map(|block| summary::block_report(block, &subject.data.variant))
        });
        self.add_blocks(blocks);
    }

    /// Adds the blocks of one round, one for each variant.
    fn add_blocks(&mut self, blocks: impl Iterator<Item = Option<BlockReport>>) {
        for (report, block) in self.variants.iter_mut().zip(blocks) {
            report.blocks.extend(block);
        }
        self.rounds += 1;
        self.take_evaluation();
        if let Some(rule) = self.rule
            && self.evaluation.is_none()
            && self.rounds.is_multiple_of(self.planned.div_ceil(MAX_EVALUATIONS))
        {
            let (variants, rule) = (self.variants.clone(), rule.clone());
            let (decided, evaluation) = oneshot::channel();
            // On another thread, so that no vote waits for it.
            tokio::task::spawn_blocking(move || decided.send(Decisions::of(&variants, &rule)));
            self.evaluation = Some(evaluation);
        }
    }

    /// Whether every comparison is decided.
    pub fn is_decided(&mut self) -> bool {
        self.take_evaluation();
        self.is_decided
    }

    /// Waits for the evaluation that is being computed, if there is one.
    pub async fn finish_evaluation(&mut self) {
        if let Some(evaluation) = self.evaluation.take()
            && let Ok(decisions) = evaluation.await
        {
            self.show(&decisions);
        }
    }

    fn take_evaluation(&mut self) {
        match self.evaluation.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(decisions)) => {
                self.evaluation = None;
                self.show(&decisions);
            }
            Some(Err(oneshot::error::TryRecvError::Closed)) => self.evaluation = None,
            Some(Err(oneshot::error::TryRecvError::Empty)) | None => {}
        }
    }

    fn show(&mut self, decisions: &Decisions) {
        self.is_decided = decisions.are_complete();
        self.step.update(&format!(
            "{} of at most {}: {}",
            self.rounds,
            self.planned,
            progress::line(decisions)
        ));
    }

    /// The end of the run in a few words.
    pub fn summary(&self, complete: usize) -> String {
        if self.is_decided {
            format!(
                "every measure is decided after {complete} of {} rounds",
                self.planned
            )
        } else {
            format!("{complete} rounds")
        }
    }
}

#[cfg(test)]
mod tests {
    use analysis::margin::Margin;
    use lab::progress::Progress;
    use lab::project;

    use super::*;
    use crate::plans;

    #[tokio::test]
    async fn rounds_of_several_processes_decide_cpu_time() {
        let plan = plans::read_named(&project::root().unwrap(), "quick").unwrap();
        let rule = DecisionRule::of(&plan, Margin::default(), 0.95);
        let step = Progress::new().step("rounds");
        let mut monitor = Monitor::new(Some(&rule), &step, plan.design.rounds);
        let [rest, grpc] = &plan.variants[..] else {
            panic!("the plan has two variants");
        };
        monitor.variants = vec![
            VariantReport::empty(rest, false),
            VariantReport::empty(grpc, false),
            VariantReport::empty(rest, true),
        ];
        for round in 0..plan.design.rounds {
            let noise = (round % 7) as f64 / 100.0;
            let block = |value: f64| {
                let value = Some(value + noise);
                Some(BlockReport {
                    round,
                    position: 0,
                    started_s: 0.0,
                    p50: value,
                    p95: value,
                    p99: value,
                    throughput: None,
                    cpu: value,
                    search_end: None,
                })
            };
            monitor.add_blocks([block(2.0), block(3.0), block(2.0)].into_iter());
            monitor.finish_evaluation().await;
            if monitor.is_decided() {
                break;
            }
        }
        assert!(monitor.is_decided());
        assert!(monitor.rounds < plan.design.rounds, "{} rounds", monitor.rounds);
    }
}
