//! The consumer or the viewer with the options of a case. It ends with the test.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use e2e::wait::wait_until;
use lab::ports::free_address;
use lab::project;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::Options;

/// A running program.
pub(super) struct Program {
    process: Child,
    log: NamedTempFile,
    address: String,
    admin: String,
}

impl Program {
    pub(super) fn viewer(options: &Options) -> Self {
        let listen = free_address().unwrap().to_string();
        let arguments = ["--listen", &listen];
        Self::start(
            "viewer",
            arguments.into_iter().chain(options.arguments()),
            &listen,
        )
    }

    pub(super) fn consumer(options: &Options) -> Self {
        Self::start("consumer", ["run"].into_iter().chain(options.arguments()), "")
    }

    fn start<'a>(name: &str, arguments: impl Iterator<Item = &'a str>, address: &str) -> Self {
        let admin = free_address().unwrap().to_string();
        let log = NamedTempFile::new().unwrap();
        let process = Command::new(project::programs().unwrap().join(name))
            .args(arguments)
            .args(["--admin-addr", &admin])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log.path()).unwrap())
            .spawn()
            .unwrap();
        Self {
            process,
            log,
            address: address.to_owned(),
            admin,
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Waits until the viewer says that `store`, such as `tallies`, has this status.
    pub(super) async fn wait_for_status(&self, store: &str, status: &str) {
        let url = format!("http://{}/api/status", self.address);
        wait_until(async || {
            let Ok(response) = reqwest::get(&url).await else {
                return false;
            };
            let found: Value = response.json().await.unwrap();
            found[store] == status
        })
        .await;
    }

    pub(super) async fn wait_until_logged(&self, text: &str) {
        wait_until(async || self.log().contains(text)).await;
    }

    /// Waits for a line of the metrics.
    pub(super) async fn wait_for_metric(&self, line: &str) {
        let url = format!("http://{}/metrics", self.admin);
        wait_until(async || {
            let metrics = reqwest::get(&url).await.unwrap().text().await.unwrap();
            metrics.lines().any(|found| found == line)
        })
        .await;
    }

    pub(super) async fn wait_until_ready(&self) {
        let url = format!("http://{}/readyz", self.admin);
        wait_until(async || {
            reqwest::get(&url)
                .await
                .is_ok_and(|response| response.status() == 200)
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both calls fail only if the process has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}
