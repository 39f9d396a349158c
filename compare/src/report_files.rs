//! The files of a run: report, page and samples.

use std::fs::{self, File};
use std::path::Path;

use analysis::observations::Point;
use analysis::report::model::{FORMAT, Report};
use analysis::report::{html, samples_csv};
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

const DATA_FILE: &str = "report.json";
const PAGE_FILE: &str = "report.html";
const SAMPLES_FILE: &str = "samples.csv.gz";

/// Writes the report, its page and its raw samples into the folder of the run.
pub fn write(report: &Report, points: &[Point], folder: &Path) -> Result<()> {
    write_data(report, &folder.join(DATA_FILE))?;
    write_samples(points, &folder.join(SAMPLES_FILE))?;
    write_page(report, &folder.join(PAGE_FILE))
}

/// Writes the report as data.
pub fn write_data(report: &Report, path: &Path) -> Result<()> {
    write_text(path, &serde_json::to_string_pretty(report)?)
}

/// Writes the report as a page.
pub fn write_page(report: &Report, path: &Path) -> Result<()> {
    write_text(path, &html::page(report)?)
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn write_samples(points: &[Point], path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let gzip = samples_csv::write(points, GzEncoder::new(file, Compression::fast()));
    gzip.and_then(|gzip| Ok(gzip.finish()?))
        .map(|_| ())
        .with_context(|| format!("writing {}", path.display()))
}

/// Reads a report from its file or from the folder of its run.
pub fn read(path: &Path) -> Result<Report> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let path = if path.is_dir() {
        path.join(DATA_FILE)
    } else {
        path.to_owned()
    };
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let parse = || -> Result<Report> {
        let Format { format } =
            serde_json::from_slice(&bytes).context("the file is not a report of compare")?;
        ensure!(
            format == FORMAT,
            "the report has format {format}, but this program reads format {FORMAT}; use the program that wrote the report"
        );
        Ok(serde_json::from_slice(&bytes)?)
    };
    parse().with_context(|| path.display().to_string())
}
