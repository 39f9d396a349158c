//! `compare report`: shows the report of a run again, and repeats its decisions with other thresholds if requested.

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::decision_rule::DecisionRule;
use analysis::report::answers::{self, Answer, AnswerSheet};
use analysis::report::model::Report;
use analysis::report::text;
use analysis::summary;
use anyhow::Result;

use crate::output::print;
use crate::report_files;
use crate::thresholds::Thresholds;

/// Options of `compare report`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// Folder of a run, or its report.json
    run: PathBuf,

    /// Also write the page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Repeat the decisions from the run's blocks with this version of the program; implied by a threshold option
    #[arg(long)]
    recompute: bool,

    #[command(flatten)]
    thresholds: Option<Thresholds>,

    /// Also write the report's data to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print the answers to the course's two questions in Spanish and English instead of the summary
    #[arg(long)]
    answers: bool,
}

/// Prints the summary or the answers.
pub fn run(args: &ReportArgs) -> Result<ExitCode> {
    let mut report = report_files::read(&args.run)?;
    if args.recompute || args.thresholds.is_some() {
        let rule = decision_rule(args, &report);
        summary::decide_again(&mut report, &rule);
    }
    let output = if args.answers {
        let AnswerSheet { es, en } = answers::answer_sheet(&report);
        es.iter().chain(&en).map(answer_text).collect()
    } else {
        text::summary(&report) + "\n"
    };
    print(&output)?;
    if let Some(path) = &args.html {
        report_files::write_page(&report, path)?;
    }
    if let Some(path) = &args.json {
        report_files::write_data(&report, path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn decision_rule(args: &ReportArgs, report: &Report) -> DecisionRule {
    args.thresholds.as_ref().map_or_else(
        || report.rule(),
        |thresholds| thresholds.decision_rule(&report.plan),
    )
}

fn answer_text(Answer { question, sentences }: &Answer) -> String {
    let sentences = sentences.iter().map(|sentence| format!("- {sentence}\n"));
    format!("{question}\n\n{}\n", sentences.collect::<String>())
}
