//! The test environment: a stack of servers, cleared before each test, and consumers that run on it. Two stacks serve all
//! tests, because most tests wait for a time limit of Kafka or of a client.

use std::collections::BTreeMap;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ephemeral_stack::EphemeralStack;
use futures::TryStreamExt;
use kafka::RecordWriter;
use lab::ports::free_address;
use lab::process::{Identity, Signal};
use lab::servers::Server;
use mongodb::bson::{RawDocumentBuf, doc};
use redis::AsyncCommands;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use vote_log::VoteDocument;

use crate::votes::{Tallies, expected};

pub(crate) const PARTITIONS: i32 = 6;
/// The limit of every wait: longer than the session timeout, after which a killed consumer's partitions are reassigned.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The stack, with empty stores and a separate topic.
pub(crate) struct TestEnvironment {
    pub(crate) stack: MappedMutexGuard<'static, EphemeralStack>,
    pub(crate) topic: String,
    pub(crate) writer: RecordWriter,
    pub(crate) redis: redis::aio::ConnectionManager,
    pub(crate) log: mongodb::Collection<RawDocumentBuf>,
}

/// A running consumer. Dropping it kills the process.
pub(crate) struct Consumer {
    child: Child,
    admin: String,
}

/// A stack that no other test uses. Starts it if it does not run yet.
async fn free_stack() -> MappedMutexGuard<'static, EphemeralStack> {
    static STACKS: [Mutex<Option<EphemeralStack>>; 2] = [const { Mutex::const_new(None) }; 2];
    let mut stack = tokio::select! {
        biased;
        stack = STACKS[0].lock() => stack,
        stack = STACKS[1].lock() => stack,
    };
    if stack.is_none() {
        let servers = [Server::Kafka, Server::Redis, Server::Mongodb];
        let started = tokio::task::spawn_blocking(move || EphemeralStack::start_only(&servers).unwrap());
        *stack = Some(started.await.unwrap());
    }
    MutexGuard::map(stack, |stack| stack.as_mut().unwrap())
}

impl TestEnvironment {
    pub(crate) async fn new(topic: &str) -> Self {
        let stack = free_stack().await;
        let endpoints = stack.endpoints();
        kafka::admin::ensure_topic(&endpoints.kafka, topic, PARTITIONS)
            .await
            .unwrap();
        let client = redis::Client::open(endpoints.redis.as_str()).unwrap();
        // A test may read a large hash at once, which no program does.
        let config = redis::aio::ConnectionManagerConfig::new().set_response_timeout(Some(TIMEOUT));
        let mut redis = client.get_connection_manager_with_config(config).await.unwrap();
        // A failed test may leave Redis as a replica; the next test must not fail for it.
        redis::cmd("REPLICAOF")
            .arg("NO")
            .arg("ONE")
            .exec_async(&mut redis)
            .await
            .unwrap();
        redis::cmd("FLUSHALL").exec_async(&mut redis).await.unwrap();
        let mongodb = mongodb::Client::with_uri_str(&endpoints.mongodb).await.unwrap();
        let log = mongodb.database("votes").collection("logs");
        log.drop().await.unwrap();
        Self {
            topic: topic.to_owned(),
            writer: RecordWriter::new(&endpoints.kafka, topic).unwrap(),
            redis,
            log,
            stack,
        }
    }

    pub(crate) fn dead_letter_topic(&self) -> String {
        format!("{}.dlq", self.topic)
    }

    /// Starts a consumer with further options.
    pub(crate) fn consumer(&self, options: &[&str]) -> Consumer {
        self.consumer_in(&self.topic, options)
    }

    /// Starts a consumer in the consumer group `group`.
    pub(crate) fn consumer_in(&self, group: &str, options: &[&str]) -> Consumer {
        let endpoints = self.stack.endpoints();
        let admin = free_address().unwrap().to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_consumer"))
            .args(["run", "--admin-addr", &admin])
            .args(["--kafka-brokers", &endpoints.kafka, "--topic", &self.topic])
            .args(["--group", group, "--dead-letter-topic", &self.dead_letter_topic()])
            .args([
                "--redis-url",
                &endpoints.redis,
                "--mongodb-uri",
                &endpoints.mongodb,
            ])
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Consumer { child, admin }
    }

    pub(crate) async fn tallies(&self) -> Tallies {
        let mut redis = self.redis.clone();
        let total: Option<u64> = redis.get("{votes}:total").await.unwrap();
        Tallies {
            total: total.unwrap_or_default(),
            band: redis.hgetall("{votes}:band").await.unwrap(),
            album: redis.hgetall("{votes}:album").await.unwrap(),
            route: redis.hgetall("{votes}:route").await.unwrap(),
        }
    }

    /// The log, by id.
    pub(crate) async fn logged(&self) -> BTreeMap<String, VoteDocument<'static>> {
        let documents: Vec<_> = self.log.find(doc! {}).await.unwrap().try_collect().await.unwrap();
        documents
            .into_iter()
            .map(|document| {
                let vote = VoteDocument::from_raw(&document).unwrap().into_owned();
                (vote.key.vote_id().to_string(), vote)
            })
            .collect()
    }

    /// Sends a command to Redis.
    pub(crate) async fn redis_command(&self, arguments: &[&str]) {
        let mut command = redis::Cmd::new();
        command.arg(arguments);
        command.exec_async(&mut self.redis.clone()).await.unwrap();
    }

    /// Waits until at least `at_least` votes are counted.
    pub(crate) async fn wait_until_counted(&self, at_least: u64) {
        let mut redis = self.redis.clone();
        wait_for(&format!("{at_least} votes counted"), async || {
            let total: Result<Option<u64>, _> = redis.get("{votes}:total").await;
            total.is_ok_and(|total| total.unwrap_or_default() >= at_least)
        })
        .await;
    }

    /// Waits until the sum of the applied offsets is `records`.
    pub(crate) async fn wait_until_applied(&self, records: i64) {
        let mut redis = self.redis.clone();
        wait_for(&format!("{records} records applied"), async || {
            let applied_offsets: BTreeMap<i32, i64> = redis.hgetall("{votes}:offsets").await.unwrap();
            applied_offsets.values().sum::<i64>() == records
        })
        .await;
    }

    /// Waits until the dead-letter topic holds `count` records. Panics if it holds more.
    pub(crate) async fn wait_for_dead_letters(&self, count: usize) {
        let mut found = 0;
        wait_for(&format!("{count} dead-letter records"), async || {
            let (brokers, topic) = (self.stack.endpoints().kafka.clone(), self.dead_letter_topic());
            let scan = move || {
                let mut records = 0;
                kafka::scan(&brokers, &topic, |_| records += 1).map(|()| records)
            };
            found = tokio::task::spawn_blocking(scan).await.unwrap().unwrap();
            found >= count
        })
        .await;
        assert_eq!(found, count);
    }

    /// Asserts that Redis and MongoDB hold exactly `events`.
    pub(crate) async fn assert_holds_exactly(&self, events: &[vote::VoteEvent]) {
        let expected = expected(events);
        assert_eq!(self.tallies().await, expected);
        let logged = self.logged().await;
        assert_eq!(logged.len() as u64, expected.total);
        let mut routes = BTreeMap::new();
        for document in logged.values() {
            *routes.entry(document.route.to_string()).or_insert(0u64) += 1;
        }
        assert_eq!(
            routes, expected.route,
            "the log must have the same routes as the tally"
        );
    }
}

impl Consumer {
    pub(crate) async fn wait_until_ready(&self) {
        wait_for("the consumer is ready", async || {
            self.get("/readyz").await.is_some_and(|(code, _)| code == 200)
        })
        .await;
    }

    /// Waits until the consumer is not ready and its readiness report contains `text`.
    pub(crate) async fn wait_until_not_ready(&self, text: &str) {
        wait_for(&format!("the consumer is not ready: {text}"), async || {
            self.get("/readyz")
                .await
                .is_some_and(|(code, body)| code == 503 && body.contains(text))
        })
        .await;
    }

    /// The value of a series. `series` is its name with labels, as in the exposition format.
    pub(crate) async fn metric(&self, series: &str) -> Option<u64> {
        let (_, body) = self.get("/metrics").await?;
        let value = body
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }

    /// The number of votes that it counted or found to be duplicates.
    pub(crate) async fn processed(&self) -> u64 {
        let mut processed = 0;
        for route in vote::Route::ALL {
            for result in ["applied", "duplicate"] {
                let series = format!("consumer_votes_total{{result=\"{result}\",route=\"{route}\"}}");
                processed += self.metric(&series).await.unwrap_or_default();
            }
        }
        processed
    }

    /// Waits until the consumer has some of the partitions, but not all.
    pub(crate) async fn wait_until_sharing_partitions(&self) {
        wait_for("the consumer shares the partitions", async || {
            let (_, body) = self.get("/metrics").await.unwrap_or_default();
            let assigned = body
                .lines()
                .filter(|line| line.starts_with("consumer_lag_records{"))
                .count();
            0 < assigned && assigned < usize::try_from(PARTITIONS).unwrap()
        })
        .await;
    }

    /// Waits until every partition has records that are not counted.
    pub(crate) async fn wait_until_lagging(&self) {
        wait_for("the consumer lags", async || {
            let (_, body) = self.get("/metrics").await.unwrap_or_default();
            let lags = body
                .lines()
                .filter(|line| line.starts_with("consumer_lag_records{"));
            lags.filter(|line| !line.ends_with(" 0")).count() == usize::try_from(PARTITIONS).unwrap()
        })
        .await;
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let response = reqwest::get(format!("http://{}{path}", self.admin)).await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    /// Waits until the process exits.
    pub(crate) async fn wait_until_exited(mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the consumer exits", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM, as an orchestrator does, and waits until the process exits.
    pub(crate) async fn terminate(self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).unwrap();
        Identity::of(pid).unwrap().signal(Signal::TERM).unwrap();
        self.wait_until_exited().await
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds.
pub(crate) async fn wait_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < TIMEOUT, "not true within {TIMEOUT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
