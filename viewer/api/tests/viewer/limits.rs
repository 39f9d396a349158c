//! What one client, or all together, may not do.

use reqwest::StatusCode;

use crate::bed::{Bed, Viewer};
use crate::client::{get_ok, get_raw, get_untidied};

/// Nothing listens there; these tests need no store.
const NOWHERE: &str = "mongodb://127.0.0.1:1";

async fn is_refused(viewer: &Viewer, headers: &[(&'static str, &str)]) -> bool {
    // Refused or answered, and no store is asked.
    let (status, answer, _) = get_raw(viewer, "/api/reports?x=1", headers).await;
    if status == 429 {
        assert_eq!(answer["retry-after"], "1");
        assert_eq!(answer["content-type"], "application/problem+json");
    } else {
        assert_eq!(status, 422);
    }
    status == 429
}

async fn requests_until_refused(viewer: &Viewer, headers: &[(&'static str, &str)]) -> u32 {
    for count in 0..100 {
        if is_refused(viewer, headers).await {
            return count;
        }
    }
    100
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_too_often_is_refused_for_a_while() {
    let viewer = Viewer::start(NOWHERE, &["--rate-limit", "1"]).await;
    // Five at once, and perhaps one more for a second that has passed meanwhile.
    assert!((5..=6).contains(&requests_until_refused(&viewer, &[]).await));
    // The header is not believed: nobody said that there is a proxy.
    assert!(is_refused(&viewer, &[("x-forwarded-for", "192.0.2.1")]).await);
    // Neither probes nor the page's files count.
    assert_eq!(get_raw(&viewer, "/api/live", &[]).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(!is_refused(&viewer, &[]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_each_client_has_its_own_limit() {
    let viewer = Viewer::start(NOWHERE, &["--rate-limit", "1", "--trusted-proxies", "1"]).await;
    let one = [("x-forwarded-for", "192.0.2.1")];
    assert!((5..=6).contains(&requests_until_refused(&viewer, &one).await));
    // What it writes itself comes before what the proxy adds, and changes nothing.
    assert!(is_refused(&viewer, &[("x-forwarded-for", "198.51.100.7, 192.0.2.1")]).await);
    assert!(!is_refused(&viewer, &[("x-forwarded-for", "192.0.2.1, 198.51.100.7")]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_only_be_read() {
    let viewer = Viewer::start(NOWHERE, &[]).await;
    let client = reqwest::Client::new();
    for path in ["/api/logs", "/api/tallies", "/"] {
        for request in [client.post(viewer.at(path)), client.delete(viewer.at(path))] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(answer.headers()["allow"], "GET, HEAD", "{path}");
        }
    }
    let large = client
        .post(viewer.at("/api/logs"))
        .body(vec![b'x'; 2_000])
        .send()
        .await;
    assert_eq!(large.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let head = "/api/logs?band=".to_owned() + &"x".repeat(20_000);
    assert_eq!(get_untidied(&viewer, &head).await.0, 431);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_the_limit_are_refused_at_once() {
    let bed = Bed::new().await;
    let viewer = bed.viewer_without(&["--max-calls", "1"]).await;
    let mut stream = crate::client::Events::open(&viewer, "", None).await;
    stream.expect("ready").await;
    let (status, headers, _) = get_raw(&viewer, "/api/logs", &[]).await;
    assert_eq!(status, 429);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    drop(stream);
    crate::client::get_until(&viewer, "/api/logs", |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_configured_shows_no_password() {
    let viewer = Viewer::start(
        "mongodb://me:s3cret@127.0.0.1:1",
        &["--redis-url", "redis://:s3cret@127.0.0.1:1"],
    )
    .await;
    let config = reqwest::get(format!("{}/config", viewer.admin)).await.unwrap();
    let config = config.text().await.unwrap();
    assert!(
        config.contains("me:***@127.0.0.1:1") && !config.contains("s3cret"),
        "{config}"
    );
    let status = get_ok(&viewer, "/api/status").await;
    assert_eq!(status["logs"], "unavailable");
}
