//! `compare report`: a run's report once more, from its data, and by other thresholds if asked.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::answers::{self, Answer};
use super::model::Report;
use super::{summary, text};
use crate::judge::Rules;
use crate::thresholds::Thresholds;

/// Options of `compare report`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// Folder of a run, or its report.json
    run: PathBuf,

    /// Write the page to this file as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Judge the run's blocks once more, by this program; with thresholds of your own, by those
    #[arg(long)]
    judge: bool,

    #[command(flatten)]
    thresholds: Option<Thresholds>,

    /// Write the report's data to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Print the answers to the course's two questions, in Spanish and English, instead of the summary
    #[arg(long)]
    answers: bool,
}

/// Prints the summary or the answer sheet.
pub fn run(args: &ReportArgs) -> Result<ExitCode> {
    let mut report = super::read(&args.run)?;
    if args.judge || args.thresholds.is_some() {
        let rules = rules(args, &report);
        summary::judge_again(&mut report, rules);
    }
    let said = if args.answers {
        let answers::Sheet { es, en } = answers::sheet(&report);
        es.iter().chain(&en).map(spelled_out).collect()
    } else {
        text::summary(&report) + "\n"
    };
    super::print(&said)?;
    if let Some(path) = &args.html {
        super::write_page(&report, path)?;
    }
    if let Some(path) = &args.json {
        super::write_data(&report, path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rules(args: &ReportArgs, report: &Report) -> Rules {
    let seed = report.plan.design.seed;
    let own = Rules {
        margin: report.margin,
        confidence: report.confidence,
        seed,
    };
    args.thresholds.map_or(own, |thresholds| thresholds.rules(seed))
}

fn spelled_out(Answer { question, sentences }: &Answer) -> String {
    let sentences = sentences.iter().map(|sentence| format!("- {sentence}\n"));
    format!("{question}\n\n{}\n", sentences.collect::<String>())
}
