//! The end-to-end path: votes through the Ingress, tallies in Redis, the log in MongoDB, metrics in Prometheus. The clients
//! include third-party tools and a locustfile as students write it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use e2e::records::Records;
use e2e::wait::holds_within;
use ephemeral_stack::EphemeralStack;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(30);
const VOTE: &str = r#"{"name":"Bohemia Suburbana","album":"Sombras","year":"1997","rank":"9.5"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_of_all_clients_reach_every_store_and_the_metrics() {
    let stack = EphemeralStack::start().unwrap();
    let endpoints = stack.endpoints().clone();
    let mut acknowledged = 0;

    acknowledged += check_routing_of_the_ingress(&endpoints.ingress).await;
    acknowledged += send_to_course_paths(&endpoints.ingress);
    acknowledged += send_with_grpcurl(&endpoints.ingress);
    acknowledged += send_with_ghz(&endpoints.ingress);
    acknowledged += send_with_h2load(&endpoints);
    run_course_locustfile(&endpoints.ingress).await;

    let total = wait_until_redis_has_counted_all(&endpoints.kafka, &endpoints.redis).await;
    assert!(
        total > acknowledged,
        "{total} votes in Kafka: the locustfile must add votes to the {acknowledged} of the other clients"
    );
    check_tallies_and_log(&endpoints, total).await;
    prometheus_has_every_metric(&endpoints.prometheus).await;
}

/// Checks the weights, the header and the paths of the Ingress. Returns the number of acknowledged votes.
async fn check_routing_of_the_ingress(ingress: &str) -> u64 {
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
    100 + 10 + 3 + 1
}

/// Sends votes with `curl` to the paths of the course's assignment. Returns the number of acknowledged votes.
fn send_to_course_paths(ingress: &str) -> u64 {
    const PATHS: [&str; 5] = ["/grpc/insert", "/rust/send_data", "/wasm/", "/rust", "/grpc/"];
    for path in PATHS {
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
    }
    run(Command::new("curl")
        .args(["--silent", "--fail"])
        .arg(format!("{ingress}/rest/")));
    PATHS.len() as u64
}

/// Lists the services by reflection and sends votes with `grpcurl`. Returns the number of acknowledged votes.
fn send_with_grpcurl(ingress: &str) -> u64 {
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
    let response = run(Command::new(tool("grpcurl")).args([
        "-plaintext",
        "-d",
        VOTE,
        target,
        "votes.v1.VoteService/CastVote",
    ]));
    let receipt: Value = serde_json::from_slice(&response.stdout).unwrap();
    assert_eq!(receipt["route"], json!("grpc"));
    run(Command::new(tool("grpcurl")).args([
        "-plaintext",
        "-d",
        VOTE,
        target,
        "confproto.getInfo/returnInfo",
    ]));
    2
}

/// Sends votes with `ghz`. Returns the number of acknowledged votes.
fn send_with_ghz(ingress: &str) -> u64 {
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
    200
}

/// Sends votes with `h2load` over HTTP/1.1 and HTTP/2. Returns the number of acknowledged votes.
fn send_with_h2load(endpoints: &lab::endpoints::Endpoints) -> u64 {
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
    }
    std::fs::remove_file(&body).unwrap();
    2 * 200
}

/// Runs a locustfile as the course's students write it, with the pinned version of Locust.
async fn run_course_locustfile(ingress: &str) {
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

/// Waits until Redis has counted every vote in Kafka. Returns their number.
async fn wait_until_redis_has_counted_all(kafka: &str, redis: &str) -> u64 {
    let brokers = kafka.to_owned();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let expected = u64::try_from(records.ids().count()).unwrap();
    let total = async || redis_command::<Option<u64>>(redis, redis::cmd("GET").arg("{votes}:total")).await;
    let has_counted_all = async || total().await == Some(expected);
    assert!(
        holds_within(TIMEOUT, Duration::from_millis(200), has_counted_all).await,
        "Redis has counted {:?} of {expected} votes in Kafka",
        total().await
    );
    expected
}

async fn check_tallies_and_log(endpoints: &lab::endpoints::Endpoints, total: u64) {
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

/// Checks that Prometheus has every metric of the contract, with every route that must export it.
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
    // A comparison of the routes is valid only if both have the same configuration.
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
        let query_has_data = async || has_data(prometheus, &query).await;
        assert!(
            holds_within(TIMEOUT, Duration::from_millis(500), query_has_data).await,
            "Prometheus has no data for {query} after {TIMEOUT:?}"
        );
    }
}

async fn has_data(prometheus: &str, query: &str) -> bool {
    let form = [("query", query)];
    let request = reqwest::Client::new()
        .post(format!("{prometheus}/api/v1/query"))
        .form(&form);
    let response: Value = request.send().await.unwrap().json().await.unwrap();
    response["data"]["result"]
        .as_array()
        .is_some_and(|series| !series.is_empty())
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs the missing program"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// The path of a tool that `make setup-dev` compiles from Go modules.
/// A tool that the set-up of the tests has installed.
pub(crate) fn tool(name: &str) -> PathBuf {
    cache().join("tools/bin").join(name)
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    base.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cache"))
        .join("dualpath")
}
