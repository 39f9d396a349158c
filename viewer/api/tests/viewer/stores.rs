//! Tallies from Redis, the comparison from Prometheus, and responses while a store is missing.

use std::time::{Duration, Instant};

use futures::future::join_all;
use lab::process::Signal;
use lab::servers::Server;
use serde_json::{Value, json};

use crate::client::{get, get_ok, get_until};
use crate::environment::{TIMEOUT, TestEnvironment, votes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tallies_are_the_counts_in_redis_largest_first() {
    let mut environment = TestEnvironment::new().await;
    environment
        .set_counts(
            &[("Alux Nahual", 5), ("Bohemia Suburbana", 7), ("Viernes Verde", 5)],
            &[
                ("Alux Nahual - Centroamérica", 5),
                ("Bohemia Suburbana - Sombras", 7),
            ],
            &[("rest", 10), ("grpc", 7)],
        )
        .await;
    let viewer = environment.viewer(&[]).await;
    assert_eq!(
        get_ok(&viewer, "/api/tallies").await,
        json!({
            "total": 17,
            "bands": [
                { "name": "Bohemia Suburbana", "votes": 7 },
                { "name": "Alux Nahual", "votes": 5 },
                { "name": "Viernes Verde", "votes": 5 },
            ],
            "albums": [
                {
                    "label": "Bohemia Suburbana - Sombras", "band": "Bohemia Suburbana", "album": "Sombras",
                    "votes": 7,
                },
                {
                    "label": "Alux Nahual - Centroamérica", "band": "Alux Nahual", "album": "Centroamérica",
                    "votes": 5,
                },
            ],
            "routes": [{ "route": "rest", "votes": 10 }, { "route": "grpc", "votes": 7 }],
        })
    );
    let top = get_ok(&viewer, "/api/tallies?top=1").await;
    assert_eq!(top["bands"].as_array().unwrap().len(), 1);
    assert_eq!(
        get_ok(&viewer, "/api/bands").await,
        json!(["Alux Nahual", "Bohemia Suburbana", "Viernes Verde"])
    );
    environment.delete_counts().await;
    let empty = json!({ "total": 0, "bands": [], "albums": [], "routes": [] });
    get_until(&viewer, "/api/tallies", |tallies| *tallies == empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_works_without_redis_and_prometheus() {
    let environment = TestEnvironment::new().await;
    let logged = [
        votes(2, "Alux Nahual", "rest"),
        votes(1, "Bohemia Suburbana", "grpc"),
    ]
    .concat();
    environment.insert(&logged).await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "logs": "ok", "tallies": "not_configured",
        "metrics": "not_configured", "reports": "not_configured",
    });
    assert_eq!(get_ok(&viewer, "/api/status").await, expected);
    for path in ["/api/tallies", "/api/compare", "/api/reports"] {
        let (status, problem) = get(&viewer, path).await;
        assert_eq!(
            (status, &problem["code"]),
            (503, &json!("not_configured")),
            "{path}"
        );
        assert!(problem["title"].as_str().unwrap().ends_with("is not configured"));
    }
    assert_eq!(
        get_ok(&viewer, "/api/bands").await,
        json!(["Alux Nahual", "Bohemia Suburbana"]),
        "the bands come from the log"
    );
    assert_eq!(
        get_ok(&viewer, "/api/logs").await["votes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unavailable_store_is_reported_in_time_and_used_again() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer(&[]).await;
    for (server, store, path) in [
        (Server::Redis, "tallies", "/api/tallies"),
        (Server::Prometheus, "metrics", "/api/compare"),
        (Server::Mongodb, "logs", "/api/logs"),
    ] {
        get_until(&viewer, "/api/status", |status| status[store] == "ok").await;
        get_ok(&viewer, path).await;
        environment.stack.stop(server).await.unwrap();
        // Longer than a response is cached.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let started = Instant::now();
        let (status, problem) = get(&viewer, path).await;
        assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{path}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{path}: {:?}",
            started.elapsed()
        );
        get_until(&viewer, "/api/status", |status| status[store] == "unavailable").await;
        environment.stack.start_server(server).await.unwrap();
        get_until(&viewer, path, |_| true).await;
    }
}

/// A store that accepts connections and does not answer: each query takes its whole time limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_share_the_time_limit_of_a_store_that_does_not_answer() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer(&["--rate-limit", "1000"]).await;
    for (server, path, limit) in [
        // The time limit of the viewer for Redis is 3 s, that for Prometheus 4 s.
        (Server::Redis, "/api/tallies", Duration::from_secs(5)),
        (Server::Redis, "/api/bands", Duration::from_secs(5)),
        (Server::Prometheus, "/api/compare", Duration::from_secs(6)),
        // A check has the time limit of the slowest store.
        (Server::Redis, "/api/status", Duration::from_secs(5)),
    ] {
        get_until(&viewer, path, |_| true).await;
        let process = environment.stack.identity(server).unwrap();
        process.signal(Signal::STOP).unwrap();
        // Longer than a response is cached.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let started = Instant::now();
        let responses = join_all((0..20).map(|_| get(&viewer, path))).await;
        let elapsed = started.elapsed();
        process.signal(Signal::CONT).unwrap();
        assert!(elapsed < limit, "{path}: {elapsed:?}");
        let (first, _) = &responses[0];
        assert!(responses.iter().all(|(status, _)| status == first), "{path}");
        // MongoDB has the names of the bands too.
        let expected = if matches!(path, "/api/bands" | "/api/status") {
            200
        } else {
            503
        };
        assert!([expected, 504].contains(first), "{path}: {first}");
        println!("{path} with {server} stopped: 20 requests took {elapsed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comparison_has_the_metrics_in_prometheus() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer(&[]).await;
    let rest = environment.stack.endpoints().rest.clone();
    let client = reqwest::Client::new();
    let send = async |body: &'static str| {
        let request = client.post(format!("{rest}/v1/votes"));
        let response = request
            .header("content-type", "application/json")
            .body(body)
            .send();
        response.await.unwrap().status().as_u16()
    };
    let has_votes = |response: &Value| {
        let (rest, points) = (
            &response["routes"][0],
            response["series"][0]["points"].as_array().unwrap(),
        );
        // The last point may be before the first vote.
        points
            .iter()
            .any(|point| point["p50_ms"].is_f64() && point["votes_per_s"].is_f64())
            && ["p50_ms", "p95_ms", "p99_ms", "votes_per_s", "errors_per_s"]
                .iter()
                .all(|value| rest[*value].as_f64().is_some_and(|value| value > 0.0))
    };
    let started = Instant::now();
    let response = loop {
        assert_eq!(
            send(r#"{"name":"Alux Nahual","album":"A","year":1984,"rank":9.5}"#).await,
            202
        );
        assert_eq!(send("{}").await, 422);
        let response = get_ok(&viewer, "/api/compare?window=1m").await;
        if has_votes(&response) {
            break response;
        }
        assert!(started.elapsed() < TIMEOUT, "{response}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(response["window"], "1m");
    assert_eq!(response["step_s"], 2);
    let rest = &response["routes"][0];
    assert_eq!(rest["route"], "rest");
    assert!(rest["p50_ms"].as_f64() <= rest["p99_ms"].as_f64());
    for stage in ["decode", "validate", "encode", "publish", "reply"] {
        assert!(rest["stages_ms"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    // No vote took this route.
    let grpc = &response["routes"][1];
    assert_eq!((&grpc["route"], &grpc["p50_ms"]), (&json!("grpc"), &Value::Null));

    let series = response["series"].as_array().unwrap();
    assert_eq!(series.len(), 3);
    let points = series[0]["points"].as_array().unwrap();
    assert_eq!(points.len(), 31);
    assert!(points.is_sorted_by_key(|point| point["t"].as_str().unwrap()));

    for (window, step, points) in [("5m", 5, 61), ("15m", 15, 61), ("1h", 60, 61)] {
        let response = get_ok(&viewer, &format!("/api/compare?window={window}")).await;
        assert_eq!(
            (&response["window"], &response["step_s"]),
            (&json!(window), &json!(step))
        );
        assert_eq!(response["series"][0]["points"].as_array().unwrap().len(), points);
    }
}
