//! `compare prove`: validates the method on questions with a known answer. It repeats the plan `prove`, without a
//! reconciliation. In each run, a service is compared with copies of it: an equal one (the control), one with a known
//! delay of each vote, one with a known delay of a few votes, and one with a known cost.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use analysis::comparison::Comparison;
use analysis::decision_rule::DecisionRule;
use analysis::margin::Margin;
use analysis::measure::Measure;
use analysis::report::model::PointReport;
use analysis::stats::verdict::Verdict;
use analysis::summary;
use anyhow::{Context, Result};
use ephemeral_stack::with_stack;
use lab::project;
use lab::servers::Server;
use load_generator::votes;

use crate::{experiment, plans};

/// Options of `compare prove`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProveArgs {
    /// Number of runs
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,

    /// Seed of the first run; each further run adds one
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Also write the tables, in Markdown, to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// The margin of the proof is smaller than the known differences, so that they can be found.
const MARGIN_SHARE: f64 = 0.02;
const MARGIN_FLOOR_MS: f64 = 0.02;
const CONFIDENCE: f64 = 0.95;
/// The largest acceptable share of runs with a false verdict.
const MAX_FALSE_SHARE: f64 = 0.05;
/// The smallest acceptable share of runs that find a known difference, and of intervals that contain it.
const MIN_SHARE: f64 = 0.9;

/// A question with a known answer.
struct Question {
    /// The name in the table.
    name: &'static str,
    /// The index of the variant in the plan; `None` is the control.
    variant: Option<usize>,
    measure: Measure,
    answer: Answer,
}

/// The known answer of a question.
#[derive(Clone, Copy)]
enum Answer {
    /// The same service in other processes.
    Equal,
    /// No difference beyond the margin.
    NotWorse,
    /// The copy is worse by this much.
    WorseBy(f64),
    /// The copy is worse.
    Worse,
}

const QUESTIONS: [Question; 8] = [
    Question {
        name: "equal service, median",
        variant: None,
        measure: Measure::P50,
        answer: Answer::Equal,
    },
    Question {
        name: "equal service, 95th percentile",
        variant: None,
        measure: Measure::P95,
        answer: Answer::Equal,
    },
    Question {
        name: "equal service, 99th percentile",
        variant: None,
        measure: Measure::P99,
        answer: Answer::Equal,
    },
    Question {
        name: "equal service, CPU time",
        variant: None,
        measure: Measure::Cpu,
        answer: Answer::Equal,
    },
    Question {
        name: "0.1 ms slower, median",
        variant: Some(1),
        measure: Measure::P50,
        answer: Answer::WorseBy(0.1),
    },
    Question {
        name: "every 25th vote 5 ms slower, median",
        variant: Some(2),
        measure: Measure::P50,
        answer: Answer::NotWorse,
    },
    Question {
        name: "every 25th vote 5 ms slower, 99th percentile",
        variant: Some(2),
        measure: Measure::P99,
        answer: Answer::Worse,
    },
    Question {
        name: "25 µs more CPU time a vote, CPU time",
        variant: Some(3),
        measure: Measure::Cpu,
        answer: Answer::WorseBy(25.0),
    },
];

/// Runs the proof. Exit code 1 if an answer is wrong too often.
pub async fn run(args: &ProveArgs) -> Result<ExitCode> {
    let root = project::root()?;
    let plan = plans::read_named(&root, "prove")?;
    let votes = votes::read_vote_file(&root)?;
    let runs = with_stack(
        |_| {},
        async |stack| {
            let mut runs = Vec::new();
            for run in 0..args.runs {
                let mut plan = plan.clone();
                plan.design.seed = args.seed + run;
                // The copies are new processes in each run. After some runs, an old process needs about 2 % more CPU time.
                stack.restart_server(Server::Rest).await?;
                let measurements = experiment::run(&plan, stack, &votes, None, f64::INFINITY).await?;
                let point = measurements
                    .points
                    .first()
                    .context("the run has no measurements")?;
                let rule =
                    DecisionRule::of(&plan, Margin::uniform(MARGIN_SHARE, MARGIN_FLOOR_MS), CONFIDENCE);
                let point = summary::point(point, &rule);
                println!("run {}: {}", run + 1, line(&point));
                runs.push(point);
            }
            Ok(runs)
        },
    )
    .await?;
    let results: Vec<QuestionResult> = QUESTIONS.iter().map(|question| question.result(&runs)).collect();
    let table = table(&results);
    println!("\n{table}");
    if let Some(path) = &args.write {
        std::fs::write(path, &table).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if results.iter().all(QuestionResult::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The answers of all runs to one question.
struct QuestionResult {
    question: &'static Question,
    comparisons: Vec<Comparison>,
}

impl Question {
    fn comparison<'a>(&self, point: &'a PointReport) -> Option<&'a Comparison> {
        let measures = match self.variant {
            None => &point.control,
            Some(variant) => &point.pairs.get(variant - 1)?.comparisons,
        };
        measures
            .iter()
            .find(|comparison| comparison.measure == self.measure)
    }

    fn result(&'static self, runs: &[PointReport]) -> QuestionResult {
        QuestionResult {
            question: self,
            comparisons: runs
                .iter()
                .filter_map(|point| self.comparison(point).cloned())
                .collect(),
        }
    }
}

impl QuestionResult {
    fn count(&self, is_counted: impl Fn(&Comparison) -> bool) -> usize {
        self.comparisons
            .iter()
            .filter(|comparison| is_counted(comparison))
            .count()
    }

    /// Runs that call the copy worse.
    fn worse(&self) -> usize {
        self.count(|comparison| comparison.verdict == Verdict::ABetter)
    }

    /// Runs with a false verdict. "Better" is always false; "worse" is false for a copy that is not worse.
    fn false_verdicts(&self) -> usize {
        let is_never_worse = matches!(self.question.answer, Answer::Equal | Answer::NotWorse);
        self.count(|comparison| {
            comparison.verdict == Verdict::BBetter
                || (is_never_worse && comparison.verdict == Verdict::ABetter)
        })
    }

    /// Runs whose interval contains the known difference, if it is known.
    fn covered(&self) -> Option<usize> {
        let difference = match self.question.answer {
            Answer::Equal => 0.0,
            Answer::WorseBy(difference) => difference,
            Answer::NotWorse | Answer::Worse => return None,
        };
        Some(self.count(|comparison| comparison.difference.contains(difference)))
    }

    fn holds(&self) -> bool {
        let runs = self.comparisons.len() as f64;
        let share = |count: usize| count as f64 / runs;
        let finds = || share(self.worse()) >= MIN_SHARE;
        let covers = || self.covered().is_none_or(|covered| share(covered) >= MIN_SHARE);
        let is_found = match self.question.answer {
            Answer::NotWorse => true,
            Answer::Equal => covers(),
            Answer::Worse => finds(),
            Answer::WorseBy(_) => finds() && covers(),
        };
        is_found && share(self.false_verdicts()) <= MAX_FALSE_SHARE
    }
}

/// The answers of one run.
fn line(point: &PointReport) -> String {
    let mut line = String::new();
    for question in &QUESTIONS {
        if let Some(comparison) = question.comparison(point) {
            let interval = comparison.difference;
            // Writing to a string cannot fail.
            let _ = write!(
                line,
                "{}: {:+.3} [{:+.3}, {:+.3}]; ",
                question.name, interval.estimate, interval.low, interval.high
            );
        }
    }
    line
}

fn table(results: &[QuestionResult]) -> String {
    let mut lines = vec![
        "| question | runs | found worse | false verdicts | interval contains the known difference | median half-width | holds |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for result in results {
        let mut half_widths: Vec<f64> = result
            .comparisons
            .iter()
            .map(|comparison| 100.0 * comparison.difference.half_width() / comparison.a)
            .collect();
        half_widths.sort_by(f64::total_cmp);
        let half_width = quantile::nearest_rank(&half_widths, 0.5).unwrap_or_default();
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {half_width:.1} % | {} |",
            result.question.name,
            result.comparisons.len(),
            result.worse(),
            result.false_verdicts(),
            result
                .covered()
                .map_or_else(|| "–".to_owned(), |covered| covered.to_string()),
            if result.holds() { "yes" } else { "**no**" }
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
