//! The read-only user of `viewer create-user`: sufficient for the whole API, and without the right to write.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backon::Retryable;
use lab::fetch::Cache;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use tempfile::TempDir;

use crate::client::{Events, get_ok, vote_ids};
use crate::environment::{Viewer, free_address, id, retries_every, vote};

const UNAUTHORIZED: i32 = 13;

/// A MongoDB with access control; killed when dropped.
struct MongodbWithUsers {
    process: Child,
    address: String,
    _data: TempDir,
}

impl Drop for MongodbWithUsers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl MongodbWithUsers {
    /// Starts it with the user `admin`, password `admin`.
    async fn start() -> Self {
        let (data, address) = (TempDir::new().unwrap(), free_address());
        let key = data.path().join("key");
        let mut file = std::fs::OpenOptions::new();
        // Access control in a replica set requires a key file that only its owner can read.
        let mut file = file.write(true).create_new(true).mode(0o600).open(&key).unwrap();
        file.write_all(b"a key for a set with one member").unwrap();
        let process = mongod(data.path(), &key, &address);
        let mongodb = Self {
            process,
            address,
            _data: data,
        };
        // MongoDB allows these commands from localhost without a user until the first user exists.
        let member = doc! { "_id": 0, "host": &mongodb.address };
        let initiate = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
        let admin = doc! { "createUser": "admin", "pwd": "admin", "roles": ["root"] };
        mongodb.run_admin_command("", initiate).await;
        mongodb.run_admin_command("", admin).await;
        mongodb
    }

    fn uri(&self, user: &str, database: &str) -> String {
        format!(
            "mongodb://{user}{}/?authSource={database}&directConnection=true",
            self.address
        )
    }

    /// Runs the command, and repeats it while the server is starting.
    async fn run_admin_command(&self, user: &str, command: Document) {
        let client = mongodb::Client::with_uri_str(self.uri(user, "admin"))
            .await
            .unwrap();
        let database = client.database("admin");
        let run = || async { database.run_command(command.clone()).await };
        run.retry(retries_every(Duration::from_millis(100)))
            .await
            .unwrap();
    }
}

fn mongod(data: &Path, key: &Path, address: &str) -> Child {
    let (host, port) = address.split_once(':').unwrap();
    Command::new(Cache::open().unwrap().mongod())
        .args(["--bind_ip", host, "--port", port, "--replSet", "rs0", "--auth"])
        .args([
            "--nounixsocket",
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--oplogSize",
            "64",
        ])
        .arg("--keyFile")
        .arg(key)
        .arg("--dbpath")
        .arg(data)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn create_user(admin_uri: &str, password: &str) -> std::process::Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_viewer"))
        .args(["create-user", "--admin-uri", admin_uri])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(format!("{password}\n").as_bytes()).unwrap();
    drop(stdin);
    process.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_user_is_sufficient_and_cannot_write() {
    let mongodb = MongodbWithUsers::start().await;
    let admin_uri = mongodb.uri("admin:admin@", "admin");
    let admin = mongodb::Client::with_uri_str(&admin_uri).await.unwrap();
    let log = admin.database("votes").collection::<Document>("logs");
    let first = vote("Alux Nahual", "rest", 0);
    log.insert_one(&first).await.unwrap();

    let created = create_user(&admin_uri, "first");
    assert!(created.status.success(), "{created:?}");
    // The second call replaces the password.
    let created = create_user(&admin_uri, "s3cret");
    let printed = String::from_utf8(created.stdout).unwrap();
    assert!(
        printed.contains("viewer can read") && !printed.contains("s3cret"),
        "{printed}"
    );

    let uri = mongodb.uri("viewer:s3cret@", "votes");
    let viewer = Viewer::start(&uri, &[]).await;
    assert_eq!(get_ok(&viewer, "/api/status").await["logs"], "ok");
    assert_eq!(vote_ids(&get_ok(&viewer, "/api/logs").await), [id(&first)]);
    assert_eq!(get_ok(&viewer, "/api/bands").await[0], "Alux Nahual");
    let mut events = Events::open(&viewer, "", None).await;
    let ready = events.expect("ready").await;
    let second = vote("Bohemia Suburbana", "grpc", 0);
    log.insert_one(&second).await.unwrap();
    assert_eq!(events.votes(1).await.0, [id(&second)]);
    let mut reconnected = Events::open(&viewer, "", ready.id.as_deref()).await;
    reconnected.expect("ready").await;
    assert_eq!(reconnected.votes(1).await.0, [id(&second)]);

    let reader = mongodb::Client::with_uri_str(&uri).await.unwrap();
    let votes = reader.database("votes").collection::<Document>("logs");
    let rejected = [
        votes.insert_one(vote("Alux Nahual", "rest", 1)).await.map(|_| ()),
        votes.delete_many(doc! {}).await.map(|_| ()),
        votes.drop().await,
    ];
    for outcome in &rejected {
        let error = outcome.as_ref().unwrap_err();
        let ErrorKind::Command(command) = error.kind.as_ref() else {
            panic!("{error}");
        };
        assert_eq!(command.code, UNAUTHORIZED, "{error}");
    }

    // With a wrong password the store counts as unavailable, and the reason is only in the log.
    let wrong = Viewer::start(&mongodb.uri("viewer:first@", "votes"), &[]).await;
    assert_eq!(get_ok(&wrong, "/api/status").await["logs"], "unavailable");
}
