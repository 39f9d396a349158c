//! What a run says: data for programs, sentences and a page for people.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use self::model::{FORMAT, Report};
use crate::data::Point;

pub mod answers;
pub mod diff;
pub mod export;
pub mod figures;
pub mod html;
pub mod model;
pub mod plots;
pub mod render;
pub mod schema;
pub mod summary;
pub mod text;

/// The report as data, in the folder of its run.
const DATA: &str = "report.json";
/// The page.
const PAGE: &str = "report.html";
/// The raw samples.
const SAMPLES: &str = "samples.csv.gz";

/// Writes the report, its page and the samples that it rests on into the folder of the run.
pub fn write(report: &Report, points: &[Point], folder: &Path) -> Result<()> {
    write_data(report, &folder.join(DATA))?;
    export::write(points, &folder.join(SAMPLES))?;
    write_page(report, &folder.join(PAGE))
}

/// Writes the data by itself.
pub fn write_data(report: &Report, path: &Path) -> Result<()> {
    put(path, &serde_json::to_string_pretty(report)?)
}

/// Writes the page by itself.
pub fn write_page(report: &Report, path: &Path) -> Result<()> {
    put(path, &html::page(report)?)
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Reads a report: its file, or the folder of its run.
pub fn read(path: &Path) -> Result<Report> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let path = if path.is_dir() {
        path.join(DATA)
    } else {
        path.to_owned()
    };
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let reading = || -> Result<Report> {
        let Format { format } = serde_json::from_slice(&bytes).context("this is no report of compare")?;
        ensure!(
            format == FORMAT,
            "it has format {format}, and this program reads {FORMAT}: use the program that wrote it"
        );
        Ok(serde_json::from_slice(&bytes)?)
    };
    reading().with_context(|| path.display().to_string())
}

/// Prints to the standard output. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let printed = std::io::stdout().write_all(text.as_bytes());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("printing"),
        _ => Ok(()),
    }
}
