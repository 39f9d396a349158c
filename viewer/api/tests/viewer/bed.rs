//! One stack for all tests of this binary, its log empty before each, and viewers to start on it.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ephemeral_stack::EphemeralStack;
use lab::process::{Identity, Signal};
use mongodb::bson::{DateTime, Document, doc};
use redis::AsyncCommands;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// Every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The stack, with an empty log and no tallies.
pub(crate) struct Bed {
    pub(crate) stack: MutexGuard<'static, EphemeralStack>,
    pub(crate) log: mongodb::Collection<Document>,
    pub(crate) redis: redis::aio::ConnectionManager,
}

/// A running viewer with a page of its own; killed when dropped.
pub(crate) struct Viewer {
    child: Child,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) web: TempDir,
}

impl Bed {
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
        log.delete_many(doc! {}).await.unwrap();
        // As the consumer makes it when it starts; a test may have dropped the log since.
        let newest_first = doc! { "received_at": -1, "_id": -1 };
        let index = mongodb::IndexModel::builder().keys(newest_first).build();
        log.create_index(index).await.unwrap();
        Self { stack, log, redis }
    }

    /// A viewer with all stores and more options.
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
        self.viewer_without(&[&stores, options].concat()).await
    }

    /// A viewer with MongoDB alone and more options.
    pub(crate) async fn viewer_without(&self, options: &[&str]) -> Viewer {
        Viewer::start(&self.stack.endpoints().mongodb, options).await
    }

    /// Logs votes.
    pub(crate) async fn insert(&self, votes: &[Document]) {
        self.log.insert_many(votes).await.unwrap();
    }

    /// Counts in Redis as the consumer does; the keys are gone with the next call.
    pub(crate) async fn count(&mut self, band: &[(&str, u64)], album: &[(&str, u64)], route: &[(&str, u64)]) {
        self.forget_counts().await;
        let total: u64 = route.iter().map(|(_, votes)| votes).sum();
        let _: () = self.redis.set("{votes}:total", total).await.unwrap();
        for (key, counts) in [("band", band), ("album", album), ("route", route)] {
            let key = format!("{{votes}}:{key}");
            let _: () = self.redis.hset_multiple(key, counts).await.unwrap();
        }
    }

    pub(crate) async fn forget_counts(&mut self) {
        let keys = ["total", "band", "album", "route"].map(|key| format!("{{votes}}:{key}"));
        let _: () = self.redis.del(&keys).await.unwrap();
    }
}

impl Viewer {
    /// Starts one and waits until it answers.
    pub(crate) async fn start(mongodb_uri: &str, options: &[&str]) -> Self {
        let viewer = Self::spawn(mongodb_uri, options);
        let started = Instant::now();
        while reqwest::get(viewer.at("/api/live")).await.is_err() {
            assert!(started.elapsed() < PATIENCE, "the viewer does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        viewer
    }

    /// Starts one and does not wait.
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

    /// SIGTERM, and the exit status.
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
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A vote as the consumer logs it, received `age_ms` before a fixed time.
pub(crate) fn vote(name: &str, route: &str, age_ms: i64) -> Document {
    doc! {
        "_id": Uuid::now_v7().to_string(), "name": name, "album": "Álbum \"uno\"", "year": "1999", "rank": "9.5",
        "route": route, "received_at": DateTime::from_millis(NOON - age_ms),
        "consumed_at": DateTime::from_millis(NOON + 5), "partition": 3, "offset": age_ms,
    }
}

/// 2026-01-31T12:00:00Z.
const NOON: i64 = 1_769_860_800_000;

/// Many of them, each received a millisecond before the one before it.
pub(crate) fn votes(count: i64, name: &str, route: &str) -> Vec<Document> {
    (0..count).map(|age_ms| vote(name, route, age_ms)).collect()
}

pub(crate) fn id(vote: &Document) -> String {
    vote.get_str("_id").unwrap().to_owned()
}

pub(crate) fn free_address() -> String {
    lab::ports::free_address().unwrap().to_string()
}
