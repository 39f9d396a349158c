//! `compare report`: a run's report once more, from its data.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::answers::{self, Answer};
use super::text;

/// Options of `compare report`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// Folder of a run, or its report.json
    run: PathBuf,

    /// Write the page to this file as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Print the answers to the course's two questions, in Spanish and English, instead of the summary
    #[arg(long)]
    answers: bool,
}

/// Prints the summary or the answer sheet.
pub fn run(args: &ReportArgs) -> Result<ExitCode> {
    let report = super::read(&args.run)?;
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
    Ok(ExitCode::SUCCESS)
}

fn spelled_out(Answer { question, sentences }: &Answer) -> String {
    let sentences = sentences.iter().map(|sentence| format!("- {sentence}\n"));
    format!("{question}\n\n{}\n", sentences.collect::<String>())
}
