//! Runs the operators' commands on the stores of a test environment.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use vote::VoteEvent;

use crate::environment::TestEnvironment;

/// The exit code and the output of a command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `consumer COMMAND`. Other tasks of the test keep running.
pub(crate) fn run(environment: &TestEnvironment, command: &str, options: &[&str]) -> CommandOutput {
    let endpoints = environment.stack.endpoints();
    let mut process = Command::new(env!("CARGO_BIN_EXE_consumer"));
    process
        .args([command, "--mongodb-uri", &endpoints.mongodb])
        .args(options);
    if command != "migrate-log" {
        process
            .args(["--kafka-brokers", &endpoints.kafka, "--topic", &environment.topic])
            .args(["--dead-letter-topic", &environment.dead_letter_topic()]);
    }
    if !["migrate-log", "replay-dead-letters"].contains(&command) {
        process.args(["--redis-url", &endpoints.redis]);
    }
    let output = tokio::task::block_in_place(|| process.output().unwrap());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let result = CommandOutput {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    println!("consumer {command} {options:?}: {result:#?}");
    result
}

/// The exit code and the parsed output of `consumer reconcile --json`.
#[derive(Debug)]
pub(crate) struct Reconciled {
    pub(crate) code: i32,
    pub(crate) json: Value,
}

/// Runs `consumer reconcile --json`.
pub(crate) fn reconcile(environment: &TestEnvironment, options: &[&str]) -> Reconciled {
    let result = run(environment, "reconcile", &[&["--json"], options].concat());
    Reconciled {
        code: result.code,
        json: serde_json::from_str(&result.stdout).unwrap(),
    }
}

impl Reconciled {
    /// Whether the counts reconcile, by the JSON and by the exit code.
    pub(crate) fn is_reconciled(&self) -> bool {
        self.json["reconciled"] == (self.code == 0) && self.code == 0
    }

    /// The differences, each as (route, store, kind, vote id), in order.
    pub(crate) fn differences(&self) -> Vec<(String, String, String, String)> {
        let differences = self.json["differences"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = differences
            .map(|difference| {
                let [route, store, kind, id] = ["route", "store", "kind", "vote_id"];
                (
                    text(&difference[route]),
                    text(&difference[store]),
                    text(&difference[kind]),
                    text(&difference[id]),
                )
            })
            .collect();
        found.sort();
        found
    }

    /// The sum of a column over all routes.
    pub(crate) fn sum(&self, column: &str) -> u64 {
        let routes = self.json["routes"].as_object().unwrap().values();
        routes.map(|counts| counts[column].as_u64().unwrap()).sum()
    }
}

/// A ledger file like that of the load generator.
pub(crate) struct Ledger {
    _directory: TempDir,
    path: PathBuf,
}

impl Ledger {
    /// A ledger with a receipt for each of `events`.
    pub(crate) fn of(events: &[VoteEvent]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.jsonl");
        let ledger = Self {
            _directory: directory,
            path,
        };
        std::fs::write(&ledger.path, "").unwrap();
        for event in events {
            ledger.add(Some(&event.vote_id.to_string()), Some(event.route.as_str()), true);
        }
        ledger
    }

    /// Adds a line.
    pub(crate) fn add(&self, vote_id: Option<&str>, route: Option<&str>, ok: bool) {
        let line = json!({ "vote_id": vote_id, "route": route, "ok": ok, "status": "202" });
        let file = std::fs::OpenOptions::new().append(true).open(&self.path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}
