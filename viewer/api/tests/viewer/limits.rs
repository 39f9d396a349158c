//! Limits of one client and of all clients.

use std::process::Command;

use reqwest::StatusCode;

use crate::client::{Events, get_ok, get_raw, get_raw_path, get_until};
use crate::environment::{TestEnvironment, UNREACHABLE_MONGODB, Viewer, free_address};

async fn is_rate_limited(viewer: &Viewer, headers: &[(&'static str, &str)]) -> bool {
    // The parameter is invalid, so no store is queried.
    let (status, response, _) = get_raw(viewer, "/api/reports?x=1", headers).await;
    if status == 429 {
        assert_eq!(response["retry-after"], "1");
        assert_eq!(response["content-type"], "application/problem+json");
    } else {
        assert_eq!(status, 422);
    }
    status == 429
}

async fn requests_until_rate_limited(viewer: &Viewer, headers: &[(&'static str, &str)]) -> u32 {
    for count in 0..100 {
        if is_rate_limited(viewer, headers).await {
            return count;
        }
    }
    100
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_beyond_its_rate_is_rejected_until_the_rate_allows_it() {
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &["--rate-limit", "1"]).await;
    // A burst of five, and one more if a second passes meanwhile.
    assert!((5..=6).contains(&requests_until_rate_limited(&viewer, &[]).await));
    // Without trusted proxies the header is ignored.
    assert!(is_rate_limited(&viewer, &[("x-forwarded-for", "192.0.2.1")]).await);
    // Probes and the page's files do not count.
    assert_eq!(get_raw(&viewer, "/api/live", &[]).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(!is_rate_limited(&viewer, &[]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_a_proxy_have_separate_limits() {
    let viewer = Viewer::start(
        UNREACHABLE_MONGODB,
        &["--rate-limit", "1", "--trusted-proxies", "1"],
    )
    .await;
    let one = [("x-forwarded-for", "192.0.2.1")];
    assert!((5..=6).contains(&requests_until_rate_limited(&viewer, &one).await));
    // Addresses before the one that the proxy added are ignored.
    assert!(is_rate_limited(&viewer, &[("x-forwarded-for", "198.51.100.7, 192.0.2.1")]).await);
    assert!(!is_rate_limited(&viewer, &[("x-forwarded-for", "192.0.2.1, 198.51.100.7")]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_get_and_head_are_allowed() {
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &[]).await;
    let client = reqwest::Client::new();
    for path in ["/api/logs", "/api/tallies", "/"] {
        for request in [client.post(viewer.at(path)), client.delete(viewer.at(path))] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(response.headers()["allow"], "GET, HEAD", "{path}");
        }
    }
    let large = client
        .post(viewer.at("/api/logs"))
        .body(vec![b'x'; 2_000])
        .send()
        .await;
    assert_eq!(large.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let head = "/api/logs?band=".to_owned() + &"x".repeat(20_000);
    assert_eq!(get_raw_path(&viewer, &head).await.0, 431);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_in_flight_limit_are_rejected_at_once() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&["--max-calls", "1"]).await;
    let mut stream = Events::open(&viewer, "", None).await;
    stream.expect("ready").await;
    let (status, headers, _) = get_raw(&viewer, "/api/logs", &[]).await;
    assert_eq!(status, 429);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    drop(stream);
    get_until(&viewer, "/api/logs", |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn config_endpoint_shows_no_password() {
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

/// Each password breaks the URL in another way. The marker is a part of all of them.
#[test]
fn start_with_an_invalid_url_prints_no_part_of_a_password() {
    for password in [
        "s3cret/x",
        "x/s3cret",
        "1?s3cret=1",
        "1#s3cret",
        "@s3cret",
        "%s3cret",
    ] {
        let url = |scheme| format!("{scheme}://me:{password}@127.0.0.1:1/");
        let mongodb = url("mongodb");
        for arguments in [
            vec!["--mongodb-uri", &mongodb],
            vec!["--mongodb-uri", UNREACHABLE_MONGODB, "--redis-url", &url("redis")],
            vec![
                "--mongodb-uri",
                UNREACHABLE_MONGODB,
                "--prometheus-url",
                &url("http"),
            ],
            // Mistakes on the command line, which clap would repeat.
            vec![&mongodb],
            vec!["--mongodb-uri", UNREACHABLE_MONGODB, "--listen", &mongodb],
            vec![&format!("--listen={mongodb}")],
            vec!["create-user", "--password", "s3cret", "--admin-uri", &mongodb],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_viewer"))
                .args(["--admin-addr", &free_address()])
                .args(&arguments)
                .env("RUST_LOG", "debug")
                .output()
                .unwrap();
            assert!(!output.status.success(), "{arguments:?}");
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8(printed).unwrap();
            assert!(!printed.contains("s3cret"), "{arguments:?}: {printed}");
        }
    }
}

#[test]
fn help_shows_no_environment_variable_with_a_password() {
    let output = Command::new(env!("CARGO_BIN_EXE_viewer"))
        .arg("--help")
        .env("MONGODB_URI", "mongodb://me:s3cret@h")
        .env("REDIS_URL", "redis://:s3cret@h")
        .env("PROMETHEUS_URL", "http://me:s3cret@h")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("MONGODB_URI") && !help.contains("s3cret"), "{help}");
}
