//! The files of the page, and the reports.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::client::{get_ok, get_raw, get_raw_path, get_until};
use crate::environment::{UNREACHABLE_MONGODB, Viewer};

/// Content that no response may contain.
const SECRET: &str = "secret content";

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_and_assets_have_their_types_encodings_and_cache_policies() {
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &[]).await;
    let (status, _, body) = get_raw(&viewer, "/", &[]).await;
    assert_eq!(status, 404);
    assert!(String::from_utf8(body).unwrap().contains("not built"));

    let web = viewer.web.path();
    write(&web.join("index.html"), "<!doctype html>");
    write(&web.join("favicon.svg"), "<svg/>");
    write(&web.join("assets/app-1a2b.js"), "let a = 1");
    write(&web.join("assets/app-1a2b.js.br"), "brotli");
    write(&web.join("assets/app-1a2b.js.gz"), "gzip");
    for path in ["/", "/tallies", "/compare", "/?route=grpc"] {
        let (status, headers, body) = get_raw(&viewer, path, &[]).await;
        assert_eq!(
            (status, body.as_slice()),
            (200, b"<!doctype html>".as_slice()),
            "{path}"
        );
        assert_eq!(headers["content-type"], "text/html");
        assert_eq!(headers["cache-control"], "no-cache");
        assert!(!headers.contains_key("last-modified"));
    }
    let encodings = [("br, gzip", "br", "brotli"), ("gzip", "gzip", "gzip")];
    for (accepted, used, content) in encodings {
        let headers = [("accept-encoding", accepted)];
        let (status, headers, body) = get_raw(&viewer, "/assets/app-1a2b.js", &headers).await;
        assert_eq!((status, body.as_slice()), (200, content.as_bytes()));
        assert_eq!(headers["content-encoding"], used);
        assert_eq!(headers["content-type"], "text/javascript");
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    }
    let (_, headers, body) = get_raw(&viewer, "/favicon.svg", &[]).await;
    assert_eq!(body, b"<svg/>");
    assert_eq!(headers["content-type"], "image/svg+xml");
    for path in ["/assets/none.js", "/none", "/api/none", "/assets/", "/assets"] {
        let (status, headers, _) = get_raw(&viewer, path, &[]).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_response_has_the_security_headers() {
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &[]).await;
    write(&viewer.web.path().join("index.html"), "<!doctype html>");
    for path in [
        "/",
        "/none",
        "/api/live",
        "/api/logs?limit=0",
        "/api/reports",
        "/api/logs",
    ] {
        let (_, headers, _) = get_raw(&viewer, path, &[]).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_listed_and_served_in_a_sandbox() {
    let results = TempDir::new().unwrap();
    let directory = results.path();
    let viewer = Viewer::start(
        UNREACHABLE_MONGODB,
        &["--results-dir", directory.to_str().unwrap()],
    )
    .await;
    assert_eq!(get_ok(&viewer, "/api/reports").await, json!([]));

    let demo = json!({ "run": "d", "reconciled": true, "totals": { "sent": 9, "acknowledged": 9 } });
    write(&directory.join("20260101-000000/report.json"), &demo.to_string());
    write(&directory.join("20260101-000000/report.html"), "<p>demo");
    write(&directory.join("unfinished/report.json"), "{}");
    write(&directory.join("broken/report.json"), "{");
    write(&directory.join("broken/report.html"), "<p>broken");
    std::os::unix::fs::symlink("20260101-000000", directory.join("latest")).unwrap();
    // So that the next report is newer.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let compare = json!({
        "format": 4, "run": "c", "reconciled": true, "plan": { "name": "quick", "variants": [] },
        "no_verdict_reasons": ["the client was late"],
    });
    write(
        &directory.join("quick-20260102/report.json"),
        &compare.to_string(),
    );
    write(&directory.join("quick-20260102/report.html"), "<p>compare");

    // The list is cached for a second.
    let reports = get_until(&viewer, "/api/reports", |reports| reports[0].is_object()).await;
    let shown: Vec<_> = reports
        .as_array()
        .unwrap()
        .iter()
        .map(|report| {
            (
                report["name"].as_str().unwrap(),
                report["kind"].as_str().unwrap(),
                report["summary"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("quick-20260102", "compare", "quick: no verdict, reconciled"),
            ("20260101-000000", "demo", "9 of 9 votes acknowledged, reconciled"),
        ]
    );
    assert!(reports[0]["created"].as_str().unwrap().ends_with('Z'));

    let (status, headers, body) = get_raw(&viewer, "/reports/quick-20260102/report.html", &[]).await;
    assert_eq!((status, body.as_slice()), (200, b"<p>compare".as_slice()));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none';") && !policy.contains("script-src"),
        "{policy}"
    );
    for path in [
        "/reports/latest/report.html",
        "/reports/unfinished/report.html",
        "/reports/none/report.html",
        "/reports/quick-20260102/report.json",
        "/reports/quick-20260102/",
    ] {
        assert_eq!(get_raw(&viewer, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn path_traversal_is_rejected() {
    let outside = TempDir::new().unwrap();
    let results = outside.path().join("results");
    write(&outside.path().join("report.html"), SECRET);
    write(&outside.path().join("report.json"), "{}");
    write(&results.join("run/report.html"), "<p>run");
    write(&results.join("run/report.json"), "{}");
    std::os::unix::fs::symlink(outside.path(), results.join("out")).unwrap();
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &["--results-dir", results.to_str().unwrap()]).await;
    let web = viewer.web.path();
    write(&web.join("assets/app.js"), "let a");
    let secret = web.parent().unwrap().join("viewer-test-secret");
    std::fs::write(&secret, SECRET).unwrap();
    for path in [
        "/../viewer-test-secret",
        "/assets/../../viewer-test-secret",
        "/assets/..%2f..%2fviewer-test-secret",
        "/%2e%2e/viewer-test-secret",
        "/..%5cviewer-test-secret",
        "//viewer-test-secret",
        "/assets/%00/../../viewer-test-secret",
        "/reports/../report.html",
        "/reports/%2e%2e/report.html",
        "/reports/..%2f/report.html",
        "/reports/out/report.html",
        "/reports/run%2f..%2f../report.html",
        "/reports/./report.html",
        "/reports//report.html",
        "/reports/%ff/report.html",
    ] {
        let (status, response) = get_raw_path(&viewer, path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        assert!(!response.contains(SECRET), "{path}");
    }
    std::fs::remove_file(secret).unwrap();
    assert_eq!(get_raw_path(&viewer, "/reports/run/report.html").await.0, 200);
}
