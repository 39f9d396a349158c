//! The whole road: votes in through the Ingress, tallies in Redis, the log in MongoDB, metrics in Prometheus. And the
//! clients of other people, unchanged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const VOTE: &str = r#"{"name":"Bohemia Suburbana","album":"Sombras","year":"1997","rank":"9.5"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_take_the_whole_road_and_other_peoples_clients_work() {
    let stack = EphemeralStack::start().unwrap();
    let endpoints = stack.endpoints().clone();
    let mut cast = Cast::default();

    the_ingress_splits_and_obeys(&endpoints.ingress, &mut cast).await;
    the_courses_paths_work(&endpoints.ingress, &mut cast);
    grpcurl_works(&endpoints.ingress, &mut cast);
    ghz_works(&endpoints.ingress, &mut cast);
    h2load_works(&endpoints, &mut cast);
    the_courses_locustfile_works(&endpoints.ingress).await;

    let total = counted_total(&endpoints.kafka, &endpoints.redis).await;
    assert!(
        total > cast.sum(),
        "the locustfile's votes come on top of {}",
        cast.sum()
    );
    tallies_and_log_agree(&endpoints, total).await;
    prometheus_has_every_metric(&endpoints.prometheus).await;
}

/// Votes that were acknowledged so far, by whatever client.
#[derive(Debug, Default)]
struct Cast {
    votes: u64,
}

impl Cast {
    fn add(&mut self, votes: u64) {
        self.votes += votes;
    }

    fn sum(&self) -> u64 {
        self.votes
    }
}

async fn the_ingress_splits_and_obeys(ingress: &str, cast: &mut Cast) {
    let client = reqwest::Client::new();
    let send = async |path: &str, canary: Option<&str>| {
        let request = client
            .post(format!("{ingress}{path}"))
            .header("content-type", "application/json")
            .body(VOTE);
        let request = canary
            .into_iter()
            .fold(request, |request, value| request.header("x-canary", value));
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 202, "{path}");
        response.headers()["x-ingest-route"].to_str().unwrap().to_owned()
    };
    let mut bridged = 0;
    for _ in 0..100 {
        bridged += u32::from(send("/v1/votes", None).await == "bridge");
    }
    assert!(
        (40..=60).contains(&bridged),
        "{bridged} of 100 went to the bridge at weight 50"
    );
    for _ in 0..5 {
        assert_eq!(send("/v1/votes", Some("always")).await, "bridge");
        assert_eq!(send("/v1/votes", Some("never")).await, "rest");
    }
    for (path, route) in [
        ("/rest/v1/votes", "rest"),
        ("/grpc/v1/votes", "bridge"),
        ("/rust/send_data", "rest"),
    ] {
        assert_eq!(send(path, None).await, route, "{path}");
    }
    let batch = client
        .post(format!("{ingress}/v1/votes:batch"))
        .header("content-type", "application/json");
    assert_eq!(
        batch
            .body(format!("[{VOTE}]"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    cast.add(100 + 10 + 3 + 1);
}

/// `curl` to the paths that the course's assignment names.
fn the_courses_paths_work(ingress: &str, cast: &mut Cast) {
    for path in ["/grpc/insert", "/rust/send_data", "/wasm/", "/rust", "/grpc/"] {
        let output = run(Command::new("curl")
            .args([
                "--silent",
                "--fail-with-body",
                "--request",
                "POST",
                "--header",
                "Content-Type: application/json",
            ])
            .args(["--data", VOTE])
            .arg(format!("{ingress}{path}")));
        let receipt: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(receipt["offset"].is_i64(), "{path}: {receipt}");
        cast.add(1);
    }
    run(Command::new("curl")
        .args(["--silent", "--fail"])
        .arg(format!("{ingress}/rest/")));
}

fn grpcurl_works(ingress: &str, cast: &mut Cast) {
    let target = ingress.trim_start_matches("http://");
    let services = run(Command::new(tool("grpcurl")).args(["-plaintext", target, "list"]));
    let services = String::from_utf8(services.stdout).unwrap();
    for service in [
        "votes.v1.VoteService",
        "confproto.getInfo",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(service), "reflection lists:\n{services}");
    }
    let answer = run(Command::new(tool("grpcurl")).args([
        "-plaintext",
        "-d",
        VOTE,
        target,
        "votes.v1.VoteService/CastVote",
    ]));
    let receipt: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(receipt["route"], json!("grpc"));
    run(Command::new(tool("grpcurl")).args([
        "-plaintext",
        "-d",
        VOTE,
        target,
        "confproto.getInfo/returnInfo",
    ]));
    cast.add(2);
}

fn ghz_works(ingress: &str, cast: &mut Cast) {
    let output = run(Command::new(tool("ghz"))
        .args([
            "--insecure",
            "--total",
            "200",
            "--concurrency",
            "8",
            "--format",
            "json",
            "--data",
            VOTE,
        ])
        .args([
            "--call",
            "votes.v1.VoteService.CastVote",
            ingress.trim_start_matches("http://"),
        ]));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["statusCodeDistribution"],
        json!({"OK": 200}),
        "{}",
        report["errorDistribution"]
    );
    cast.add(200);
}

fn h2load_works(endpoints: &lab::endpoints::Endpoints, cast: &mut Cast) {
    let body = std::env::temp_dir().join(format!("dualpath-vote-{}.json", std::process::id()));
    std::fs::write(&body, VOTE).unwrap();
    for protocol in [vec!["--h1"], vec!["--max-concurrent-streams", "8"]] {
        let output = run(Command::new("h2load")
            .args([
                "--requests",
                "200",
                "--clients",
                "2",
                "--header",
                "content-type: application/json",
            ])
            .args(protocol)
            .arg("--data")
            .arg(&body)
            .arg(format!("{}/v1/votes", endpoints.rest)));
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(
            report.contains("status codes: 200 2xx, 0 3xx, 0 4xx, 0 5xx"),
            "{report}"
        );
        cast.add(200);
    }
    std::fs::remove_file(&body).unwrap();
}

/// A locustfile as the course's students write it, in the version of Locust that the project pins.
async fn the_courses_locustfile_works(ingress: &str) {
    let locustfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/course_locustfile.py");
    for prefix in ["/grpc", "/rust"] {
        run(Command::new(cache().join("venv/bin/locust"))
            .args([
                "--headless",
                "--users",
                "4",
                "--spawn-rate",
                "4",
                "--run-time",
                "3s",
                "--only-summary",
            ])
            .arg("--locustfile")
            .arg(&locustfile)
            .arg("--host")
            .arg(format!("{ingress}{prefix}")));
    }
    tokio::task::yield_now().await;
}

/// The votes in Kafka, once Redis has counted as many.
async fn counted_total(kafka: &str, redis: &str) -> u64 {
    let brokers = kafka.to_owned();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let expected = u64::try_from(records.ids().count()).unwrap();
    let started = Instant::now();
    loop {
        let total = redis_command::<Option<u64>>(redis, redis::cmd("GET").arg("{votes}:total")).await;
        if total == Some(expected) {
            return expected;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "Redis counts {total:?} of {expected} votes in Kafka"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn tallies_and_log_agree(endpoints: &lab::endpoints::Endpoints, total: u64) {
    for key in ["{votes}:band", "{votes}:album", "{votes}:route"] {
        let counts: Vec<u64> = redis_command(&endpoints.redis, redis::cmd("HVALS").arg(key)).await;
        assert_eq!(counts.iter().sum::<u64>(), total, "{key}");
    }
    let client = mongodb::Client::with_uri_str(&endpoints.mongodb).await.unwrap();
    let logs = client
        .database("votes")
        .collection::<mongodb::bson::Document>("logs");
    assert_eq!(logs.count_documents(mongodb::bson::doc! {}).await.unwrap(), total);
    let one = logs.find_one(mongodb::bson::doc! {}).await.unwrap().unwrap();
    for field in [
        "_id",
        "name",
        "album",
        "year",
        "rank",
        "route",
        "received_at",
        "consumed_at",
        "partition",
        "offset",
    ] {
        assert!(one.contains_key(field), "{field} is missing in {one}");
    }
}

async fn redis_command<T: redis::FromRedisValue>(url: &str, command: &mut redis::Cmd) -> T {
    let client = redis::Client::open(url).unwrap();
    command
        .query_async(&mut client.get_multiplexed_async_connection().await.unwrap())
        .await
        .unwrap()
}

/// Every metric of the contract, with every route that must have it.
async fn prometheus_has_every_metric(prometheus: &str) {
    let by_route = ["rest", "grpc", "bridge"];
    let mut queries = Vec::new();
    for route in by_route {
        for stage in ["decode", "validate", "encode", "publish", "reply"] {
            queries.push(format!(
                "ingest_stage_duration_seconds_count{{route=\"{route}\",stage=\"{stage}\"}} > 0"
            ));
        }
        for outcome in [
            "accepted",
            "invalid",
            "overloaded",
            "unavailable",
            "deadline",
            "cancelled",
            "internal",
        ] {
            queries.push(format!(
                "ingest_request_duration_seconds_count{{route=\"{route}\",outcome=\"{outcome}\"}}"
            ));
        }
        queries.push(format!("ingest_inflight_requests{{route=\"{route}\"}}"));
        queries.push(format!("ingest_config_info{{route=\"{route}\"}} == 1"));
        queries.push(format!(
            "consumer_votes_total{{route=\"{route}\",result=\"applied\"}} > 0"
        ));
        queries.push(format!(
            "consumer_end_to_end_seconds_count{{route=\"{route}\"}} > 0"
        ));
    }
    // One configuration on both native routes, or a comparison of them means nothing.
    queries.push("count(count by (config_hash) (ingest_config_info{route=~\"rest|grpc\"})) == 1".to_owned());
    queries.push("sum(consumer_apply_duration_seconds_count{store=\"redis\"}) > 0".to_owned());
    queries.push("sum(consumer_apply_duration_seconds_count{store=\"mongodb\"}) > 0".to_owned());
    queries.push("count(consumer_lag_records) >= 6".to_owned());
    queries.push("count(process_resident_memory_bytes > 0) >= 4".to_owned());
    queries.push("sum(consumer_band_votes_total{band=\"Bohemia Suburbana\"}) > 0".to_owned());
    queries.push("sum(consumer_album_votes_total{album=\"Bohemia Suburbana - Sombras\"}) > 0".to_owned());
    for (service, check) in [
        ("rest", "kafka"),
        ("grpc", "kafka"),
        ("bridge", "upstream"),
        ("consumer", "kafka"),
        ("consumer", "redis"),
        ("consumer", "mongodb"),
    ] {
        queries.push(format!(
            "service_check_up{{service=\"{service}\",check=\"{check}\"}} == 1"
        ));
    }
    for query in queries {
        let started = Instant::now();
        while !has_data(prometheus, &query).await {
            assert!(started.elapsed() < PATIENCE, "no data: {query}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn has_data(prometheus: &str, query: &str) -> bool {
    let form = [("query", query)];
    let request = reqwest::Client::new()
        .post(format!("{prometheus}/api/v1/query"))
        .form(&form);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["data"]["result"]
        .as_array()
        .is_some_and(|series| !series.is_empty())
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run `make test`, it installs it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Where the set-up puts tools that are compiled from Go modules.
fn tool(name: &str) -> PathBuf {
    cache().join("tools/bin").join(name)
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    base.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cache"))
        .join("dualpath")
}
