//! `GET /api/reports` and `GET /reports/NAME/report.html`: what `compare` and `lab demo` have found out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Json;
use axum::extract::{Path as PathParameter, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::logs::format_time;
use crate::problem::{Problem, Store};
use crate::query::Valid;

const DATA: &str = "report.json";
const PAGE: &str = "report.html";
/// Reports in the list, the newest.
const MOST: usize = 100;
/// Longest name of a run, in bytes.
const MAX_NAME: usize = 100;
/// Largest file that is read, in bytes: several times a report with all plots.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// A report is a document by itself: styles and drawings inside it, no script, no request, no place in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
);

/// The folder of reports.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    directory: Option<Arc<PathBuf>>,
    /// What was read, with the file's time: most reports never change.
    known: Arc<Mutex<BTreeMap<String, (SystemTime, Report)>>>,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    name: String,
    /// When it was written.
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

/// What both kinds have, and what tells them apart; all else is left unread.
#[derive(Deserialize)]
struct Content {
    reconciled: bool,
    /// Of `compare`.
    plan: Option<Plan>,
    #[serde(default)]
    no_verdict_reasons: Vec<String>,
    /// Of `lab demo`.
    totals: Option<Totals>,
}

#[derive(Deserialize)]
struct Plan {
    name: String,
}

#[derive(Deserialize)]
struct Totals {
    sent: u64,
    acknowledged: u64,
}

impl Reports {
    /// The reports below `directory`.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory: directory.map(Arc::new),
            known: Arc::default(),
        }
    }

    /// Whether there is a folder to look into.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.directory().map(|_| ())
    }

    fn directory(&self) -> Result<Arc<PathBuf>, Problem> {
        let directory = self.directory.clone();
        directory.ok_or(Problem::NotConfigured(Store::Reports))
    }

    /// Does `work` with the folder, where it may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &Path) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let directory = self.directory()?;
        let reports = self.clone();
        let work = tokio::task::spawn_blocking(move || work(&reports, &directory));
        work.await.map_err(|_| Problem::Internal)
    }

    /// The newest reports, the newest first. A folder that is not there yet has none.
    fn list(&self, directory: &Path) -> Vec<Report> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = names(directory);
        found.sort_by(|(one, one_time), (other, other_time)| (other_time, other).cmp(&(one_time, one)));
        found.truncate(MOST);
        let mut read = BTreeMap::new();
        for (name, written) in &found {
            let report = match known.remove(name).filter(|(since, _)| since == written) {
                Some((_, report)) => Some(report),
                None => read_report(directory, name, *written),
            };
            read.extend(report.map(|report| (name.clone(), (*written, report))));
        }
        *known = read;
        let reports = found.iter().filter_map(|(name, _)| known.get(name));
        reports.map(|(_, report)| report.clone()).collect()
    }
}

pub(crate) async fn list(
    State(reports): State<Reports>,
    Valid(()): Valid<()>,
) -> Result<Json<Vec<Report>>, Problem> {
    reports.with(Reports::list).await.map(Json)
}

pub(crate) async fn page(
    State(reports): State<Reports>,
    PathParameter(name): PathParameter<String>,
    Valid(()): Valid<()>,
) -> Result<Response, Problem> {
    let page = move |_: &Reports, directory: &Path| {
        // Only what the folder itself lists: no other name can lead anywhere.
        let is_listed = names(directory).iter().any(|(listed, _)| *listed == name);
        is_listed
            .then(|| read(&directory.join(name).join(PAGE)))
            .flatten()
    };
    let page = reports.with(page).await?.ok_or(Problem::NotFound)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY),
        // A run under the same name may be judged anew.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, page).into_response())
}

/// The runs that have a report, with the time when it was written. Links are left out, such as `latest`.
fn names(directory: &Path) -> Vec<(String, SystemTime)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let runs = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_run = is_name(&name) && entry.file_type().ok()?.is_dir();
        let path = entry.path();
        let is_complete = is_run && is_file(&path.join(PAGE)) && is_file(&path.join(DATA));
        let written = path.join(DATA).symlink_metadata().ok()?.modified().ok()?;
        is_complete.then_some((name, written))
    });
    runs.collect()
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= MAX_NAME && name.bytes().all(is_plain) && !name.starts_with('.')
}

/// A file itself, not a link to one.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|data| data.is_file() && data.len() <= MAX_BYTES)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path)
        .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "cannot read a report"))
        .ok()
}

fn read_report(directory: &Path, name: &str, written: SystemTime) -> Option<Report> {
    let content = serde_json::from_slice(&read(&directory.join(name).join(DATA))?)
        .inspect_err(|error| tracing::warn!(%error, name, "a report cannot be understood"))
        .ok()?;
    let (kind, summary) = describe(&content)?;
    Some(Report {
        name: name.to_owned(),
        created: format_time(OffsetDateTime::from(written)),
        kind,
        summary,
    })
}

fn describe(content: &Content) -> Option<(Kind, String)> {
    let books = if content.reconciled {
        "reconciled"
    } else {
        "not reconciled"
    };
    match (&content.plan, &content.totals) {
        (Some(plan), _) => {
            let verdict = if content.no_verdict_reasons.is_empty() {
                "verdict"
            } else {
                "no verdict"
            };
            Some((Kind::Compare, format!("{}: {verdict}, {books}", plan.name)))
        }
        (None, Some(totals)) => {
            let (acknowledged, sent) = (totals.acknowledged, totals.sent);
            Some((
                Kind::Demo,
                format!("{acknowledged} of {sent} votes acknowledged, {books}"),
            ))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["20260131-180000", "smoke_2026.1"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(MAX_NAME + 1);
        for name in ["..", ".hidden", "a/b", "a b", "ä", &long] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn both_kinds_are_told_apart() {
        let describe = |text| describe(&serde_json::from_str(text).unwrap());
        assert_eq!(
            describe(r#"{"reconciled":true,"plan":{"name":"quick"},"no_verdict_reasons":[],"points":[]}"#),
            Some((Kind::Compare, "quick: verdict, reconciled".to_owned()))
        );
        assert_eq!(
            describe(r#"{"reconciled":false,"totals":{"sent":9,"acknowledged":8,"kafka":8}}"#),
            Some((Kind::Demo, "8 of 9 votes acknowledged, not reconciled".to_owned()))
        );
        assert_eq!(describe(r#"{"reconciled":true}"#), None);
    }
}
