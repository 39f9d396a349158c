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
    if args.answers {
        let sheet = answers::sheet(&report);
        for Answer { question, sentences } in sheet.es.iter().chain(&sheet.en) {
            println!("{question}\n");
            for sentence in sentences {
                println!("- {sentence}");
            }
            println!();
        }
    } else {
        println!("{}", text::summary(&report));
    }
    if let Some(path) = &args.html {
        super::write_page(&report, path)?;
    }
    Ok(ExitCode::SUCCESS)
}
