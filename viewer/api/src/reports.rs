//! `GET /api/reports` and `GET /reports/NAME/report.html`: the reports of `compare` and `lab demo`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::{Path as PathParameter, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::cache::Cached;
use crate::logs::format_time;
use crate::problem::{Problem, Store};
use crate::query::Valid;

/// The format of the reports of `compare` whose outcome the list shows.
const COMPARE_FORMAT: u32 = 4;
const DATA: &str = "report.json";
const PAGE: &str = "report.html";
/// Maximum number of reports in the list, the newest ones.
const MAX_REPORTS: usize = 100;
/// Longest name of a run, in bytes.
const MAX_NAME_BYTES: usize = 100;
/// Largest file that is served, in bytes: several times the size of a report with all plots.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// How long the list is cached, so that many open pages cause one read of the directory a second.
const CACHE_LIFETIME: Duration = Duration::from_secs(1);
/// A report is self-contained: it may use its own inline styles and images, but no script, no request and no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
);

/// The directory of reports. Clones share the cache.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    directory: Option<Arc<PathBuf>>,
    listed: Cached<Arc<Vec<Report>>>,
    /// Parsed reports by name, with the modification time of the file: most reports never change.
    cache: Arc<Mutex<BTreeMap<String, (SystemTime, Report)>>>,
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    name: String,
    /// When the report was written.
    created: String,
    kind: Kind,
    summary: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Compare,
    Demo,
}

/// The fields of both kinds of report that the list needs.
#[derive(Deserialize)]
struct Content {
    reconciled: bool,
    /// Only in reports of `compare`.
    plan: Option<Plan>,
    /// Only in reports of `compare`.
    format: Option<u32>,
    /// Only in reports of `compare`.
    #[serde(default)]
    no_verdict_reasons: Vec<String>,
    /// Only in reports of `compare`.
    #[serde(default)]
    points: Vec<Point>,
    /// Only in reports of `lab demo`.
    totals: Option<Totals>,
}

#[derive(Deserialize)]
struct Plan {
    name: String,
}

/// The variants at one value of a sweep.
#[derive(Deserialize)]
struct Point {
    #[serde(default)]
    no_verdict_reasons: Vec<String>,
    #[serde(default)]
    pairs: Vec<Pair>,
}

/// Two variants, compared on each measure.
#[derive(Deserialize)]
struct Pair {
    comparisons: Vec<Comparison>,
}

#[derive(Deserialize)]
struct Comparison {
    verdict: Verdict,
}

#[derive(Deserialize)]
struct Verdict {
    verdict: String,
}

#[derive(Deserialize)]
struct Totals {
    sent: u64,
    acknowledged: u64,
}

impl Reports {
    /// Serves the reports below `directory`.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory: directory.map(Arc::new),
            listed: Cached::new(CACHE_LIFETIME),
            cache: Arc::default(),
        }
    }

    /// Whether a directory is configured.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.directory().map(|_| ())
    }

    fn directory(&self) -> Result<Arc<PathBuf>, Problem> {
        let directory = self.directory.clone();
        directory.ok_or(Problem::NotConfigured(Store::Reports))
    }

    /// Runs `work` on the directory in a thread that may block.
    async fn with_directory<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &Path) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let directory = self.directory()?;
        let reports = self.clone();
        let work = tokio::task::spawn_blocking(move || work(&reports, &directory));
        work.await.map_err(|error| {
            tracing::error!(%error, "reading the reports failed");
            Problem::Internal
        })
    }

    /// The newest reports, newest first. A missing directory has no reports.
    fn list(&self, directory: &Path) -> Vec<Report> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = run_names(directory);
        found.sort_by(|(one, one_time), (other, other_time)| (other_time, other).cmp(&(one_time, one)));
        found.truncate(MAX_REPORTS);
        let mut read = BTreeMap::new();
        for (name, written) in &found {
            let report = match cache
                .remove(name)
                .filter(|(cached_written, _)| cached_written == written)
            {
                Some((_, report)) => Some(report),
                None => read_report(directory, name, *written),
            };
            read.extend(report.map(|report| (name.clone(), (*written, report))));
        }
        *cache = read;
        let reports = found.iter().filter_map(|(name, _)| cache.get(name));
        reports.map(|(_, report)| report.clone()).collect()
    }
}

pub(crate) async fn list(
    State(reports): State<Reports>,
    Valid(()): Valid<()>,
) -> Result<Json<Vec<Report>>, Problem> {
    let load = || {
        let reports = reports.clone();
        async move { reports.with_directory(Reports::list).await.map(Arc::new) }
    };
    let listed = reports.listed.get(load).await?;
    Ok(Json(listed.to_vec()))
}

pub(crate) async fn page(
    State(reports): State<Reports>,
    PathParameter(name): PathParameter<String>,
    Valid(()): Valid<()>,
) -> Result<Response, Problem> {
    let page = move |_: &Reports, directory: &Path| {
        // Only names that the directory lists are served. This prevents path traversal.
        let is_listed = run_names(directory).iter().any(|(listed, _)| *listed == name);
        is_listed
            .then(|| read(&directory.join(name).join(PAGE)))
            .flatten()
    };
    let page = reports.with_directory(page).await?.ok_or(Problem::NotFound)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY),
        // A run may be analysed again under the same name.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, page).into_response())
}

/// The names of the runs with a complete report, and the time when it was written. Symbolic links such as `latest` are
/// skipped.
fn run_names(directory: &Path) -> Vec<(String, SystemTime)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let runs = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_run = is_valid_name(&name) && entry.file_type().ok()?.is_dir();
        let path = entry.path();
        let is_complete = is_run && is_servable_file(&path.join(PAGE)) && is_servable_file(&path.join(DATA));
        let written = path.join(DATA).symlink_metadata().ok()?.modified().ok()?;
        is_complete.then_some((name, written))
    });
    runs.collect()
}

fn is_valid_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= MAX_NAME_BYTES && name.bytes().all(is_allowed) && !name.starts_with('.')
}

/// Whether the path is a regular file, not a symbolic link, and at most [`MAX_FILE_BYTES`] long.
fn is_servable_file(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|data| data.is_file() && data.len() <= MAX_FILE_BYTES)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path)
        .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "cannot read a report"))
        .ok()
}

fn read_report(directory: &Path, name: &str, written: SystemTime) -> Option<Report> {
    let content = serde_json::from_slice(&read(&directory.join(name).join(DATA))?)
        .inspect_err(
            |error| tracing::warn!(%error, name, "cannot parse a report; it is left out of the list"),
        )
        .ok()?;
    let (kind, summary) = describe(&content)?;
    Some(Report {
        name: name.to_owned(),
        created: format_time(OffsetDateTime::from(written)),
        kind,
        summary,
    })
}

/// How many comparisons of a run are decided; none at a point without a verdict.
fn decided(points: &[Point]) -> String {
    let pairs = || points.iter().flat_map(|point| &point.pairs);
    let with_verdict = points.iter().filter(|point| point.no_verdict_reasons.is_empty());
    let comparisons = pairs().map(|pair| pair.comparisons.len()).sum::<usize>();
    let decided = with_verdict
        .flat_map(|point| &point.pairs)
        .flat_map(|pair| &pair.comparisons)
        .filter(|comparison| comparison.verdict.verdict != "not_enough_data")
        .count();
    if points.iter().all(|point| !point.no_verdict_reasons.is_empty()) {
        return "no verdict".to_owned();
    }
    let noun = if pairs().count() == 1 {
        "measures"
    } else {
        "comparisons"
    };
    format!("{decided} of {comparisons} {noun} decided")
}

fn describe(content: &Content) -> Option<(Kind, String)> {
    let reconciliation = if content.reconciled {
        "reconciled"
    } else {
        "not reconciled"
    };
    match (&content.plan, &content.totals) {
        (Some(plan), _) => {
            let verdict = if content.format != Some(COMPARE_FORMAT) {
                "report of another format".to_owned()
            } else if content.no_verdict_reasons.is_empty() {
                decided(&content.points)
            } else {
                "no verdict".to_owned()
            };
            Some((
                Kind::Compare,
                format!("{}: {verdict}, {reconciliation}", plan.name),
            ))
        }
        (None, Some(totals)) => {
            let (acknowledged, sent) = (totals.acknowledged, totals.sent);
            Some((
                Kind::Demo,
                format!("{acknowledged} of {sent} votes acknowledged, {reconciliation}"),
            ))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_valid() {
        for name in ["20260131-180000", "smoke_2026.1"] {
            assert!(is_valid_name(name), "{name}");
        }
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in ["..", ".hidden", "a/b", "a b", "ä", &long] {
            assert!(!is_valid_name(name), "{name}");
        }
    }

    #[test]
    fn kinds_of_reports_are_distinguished() {
        let describe = |text: &str| describe(&serde_json::from_str(text).unwrap());
        let decided = r#"{"verdict":{"verdict":"equivalent"}}"#;
        let open = r#"{"verdict":{"verdict":"not_enough_data","rounds_needed":9}}"#;
        let compared = |comparisons: &str| {
            describe(&format!(
                r#"{{"format":4,"reconciled":true,"plan":{{"name":"quick"}},"no_verdict_reasons":[],
                    "points":[{{"pairs":[{{"comparisons":[{comparisons}]}}]}}]}}"#
            ))
        };
        for (comparisons, count) in [
            (format!("{decided},{open}"), "1 of 2"),
            (format!("{open},{open}"), "0 of 2"),
        ] {
            assert_eq!(
                compared(&comparisons),
                Some((
                    Kind::Compare,
                    format!("quick: {count} measures decided, reconciled")
                ))
            );
        }
        let late = r#""no_verdict_reasons":["late"],"#;
        let sweep = |reasons: [&str; 2]| {
            let points =
                reasons.map(|reasons| format!(r#"{{{reasons}"pairs":[{{"comparisons":[{decided}]}}]}}"#));
            describe(&format!(
                r#"{{"format":4,"reconciled":true,"plan":{{"name":"rate"}},"no_verdict_reasons":[],"points":[{}]}}"#,
                points.join(",")
            ))
        };
        for (reasons, verdict) in [
            (["", late], "1 of 2 comparisons decided"),
            ([late, late], "no verdict"),
        ] {
            assert_eq!(
                sweep(reasons),
                Some((Kind::Compare, format!("rate: {verdict}, reconciled")))
            );
        }
        assert_eq!(
            describe(r#"{"format":3,"reconciled":true,"plan":{"name":"quick"},"points":[]}"#),
            Some((
                Kind::Compare,
                "quick: report of another format, reconciled".to_owned()
            ))
        );
        assert_eq!(
            describe(r#"{"reconciled":false,"totals":{"sent":9,"acknowledged":8,"kafka":8}}"#),
            Some((Kind::Demo, "8 of 9 votes acknowledged, not reconciled".to_owned()))
        );
        assert_eq!(describe(r#"{"reconciled":true}"#), None);
    }
}
