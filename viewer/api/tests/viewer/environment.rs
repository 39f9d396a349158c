//! The test environment: one stack for all tests of this binary, with an empty log before each test, and viewers that use it.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use ephemeral_stack::EphemeralStack;
use lab::process::{Identity, Signal};
use mongodb::bson::{DateTime, Document, doc};
use redis::AsyncCommands;
use tallies::keys::{ALBUM, BAND, ROUTE, TOTAL};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use vote_log::LogKey;

/// Time limit of every wait.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A MongoDB that does not exist, for tests that need no store.
pub(crate) const UNREACHABLE_MONGODB: &str = "mongodb://127.0.0.1:1";

/// The stack, with an empty log.
pub(crate) struct TestEnvironment {
    pub(crate) stack: MutexGuard<'static, EphemeralStack>,
    pub(crate) log: mongodb::Collection<Document>,
    pub(crate) redis: redis::aio::ConnectionManager,
}

/// A running viewer with its own web directory; killed when dropped.
pub(crate) struct Viewer {
    child: Child,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) web: TempDir,
}

impl TestEnvironment {
    pub(crate) async fn new() -> Self {
        static STACK: OnceLock<Mutex<EphemeralStack>> = OnceLock::new();
        let stack = tokio::task::spawn_blocking(|| {
            STACK.get_or_init(|| Mutex::new(EphemeralStack::start().unwrap()))
        });
        let stack = stack.await.unwrap().lock().await;
        let endpoints = stack.endpoints();
        let client = redis::Client::open(endpoints.redis.as_str()).unwrap();
        let redis = client.get_connection_manager().await.unwrap();
        let mongodb = mongodb::Client::with_uri_str(&endpoints.mongodb).await.unwrap();
        let log: mongodb::Collection<Document> = mongodb.database("votes").collection("logs");
        log.drop().await.unwrap();
        // The consumer creates the collection at its start.
        vote_log::ensure(&mongodb.database("votes")).await.unwrap();
        Self { stack, log, redis }
    }

    /// Starts a viewer with all stores and the given options.
    pub(crate) async fn viewer(&self, options: &[&str]) -> Viewer {
        let endpoints = self.stack.endpoints();
        let stores = [
            "--redis-url",
            &endpoints.redis,
            "--prometheus-url",
            &endpoints.prometheus,
            "--scrape-interval-s",
            "2",
        ];
        self.viewer_with_only_mongodb(&[&stores, options].concat()).await
    }

    /// Starts a viewer with MongoDB as its only store and the given options.
    pub(crate) async fn viewer_with_only_mongodb(&self, options: &[&str]) -> Viewer {
        Viewer::start(&self.stack.endpoints().mongodb, options).await
    }

    /// Adds votes to the log.
    pub(crate) async fn insert(&self, votes: &[Document]) {
        self.log.insert_many(votes).await.unwrap();
    }

    /// Replaces the counts in Redis, in the format of the consumer.
    pub(crate) async fn set_counts(
        &mut self,
        band: &[(&str, u64)],
        album: &[(&str, u64)],
        route: &[(&str, u64)],
    ) {
        self.delete_counts().await;
        let total: u64 = route.iter().map(|(_, votes)| votes).sum();
        let _: () = self.redis.set(TOTAL, total).await.unwrap();
        for (key, counts) in [(BAND, band), (ALBUM, album), (ROUTE, route)] {
            let _: () = self.redis.hset_multiple(key, counts).await.unwrap();
        }
    }

    pub(crate) async fn delete_counts(&mut self) {
        let _: () = self.redis.del(&[TOTAL, BAND, ALBUM, ROUTE]).await.unwrap();
    }
}

impl Viewer {
    /// Starts a viewer and waits until it answers.
    pub(crate) async fn start(mongodb_uri: &str, options: &[&str]) -> Self {
        let viewer = Self::spawn(mongodb_uri, options);
        let get = || reqwest::get(viewer.at("/api/live"));
        get.retry(retries_every(Duration::from_millis(5)))
            .await
            .expect("the viewer does not answer");
        viewer
    }

    /// Starts a viewer without waiting for it.
    pub(crate) fn spawn(mongodb_uri: &str, options: &[&str]) -> Self {
        let web = TempDir::new().unwrap();
        let (listen, admin) = (free_address(), free_address());
        let child = Command::new(env!("CARGO_BIN_EXE_viewer"))
            .args(["--listen", &listen, "--admin-addr", &admin])
            .args(["--mongodb-uri", mongodb_uri])
            .arg("--web-dir")
            .arg(web.path())
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            url: format!("http://{listen}"),
            admin: format!("http://{admin}"),
            web,
        }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sends SIGTERM and waits for the exit status.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).unwrap();
        Identity::of(pid).unwrap().signal(Signal::TERM).unwrap();
        tokio::task::spawn_blocking(move || self.child.wait().unwrap())
            .await
            .unwrap()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A vote in the format of the consumer, received `age_ms` before [`BASE_TIME_MS`].
pub(crate) fn vote(name: &str, route: &str, age_ms: i64) -> Document {
    let received_at = DateTime::from_millis(BASE_TIME_MS - age_ms);
    doc! {
        "_id": LogKey::new(received_at, Uuid::now_v7()), "name": name, "album": "Álbum \"uno\"", "year": "1999", "rank": "9.5",
        "route": route, "received_at": received_at,
        "consumed_at": DateTime::from_millis(BASE_TIME_MS + 5), "partition": 3, "offset": age_ms,
    }
}

/// 2026-01-31T12:00:00Z, in ms since the Unix epoch.
const BASE_TIME_MS: i64 = 1_769_860_800_000;

/// Votes, newest first, each received one millisecond before its predecessor.
pub(crate) fn votes(count: i64, name: &str, route: &str) -> Vec<Document> {
    (0..count).map(|age_ms| vote(name, route, age_ms)).collect()
}

pub(crate) fn id(vote: &Document) -> String {
    let key = vote.get_binary_generic("_id").unwrap();
    LogKey::from_bytes(key).unwrap().vote_id().to_string()
}

pub(crate) fn free_address() -> String {
    lab::ports::free_address().unwrap().to_string()
}

/// Retries with a constant pause until [`TIMEOUT`].
pub(crate) fn retries_every(pause: Duration) -> ConstantBuilder {
    let max_times = TIMEOUT.as_millis() / pause.as_millis().max(1);
    ConstantBuilder::default()
        .with_delay(pause)
        .with_max_times(usize::try_from(max_times).unwrap())
}
