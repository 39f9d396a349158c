//! The load generator: Locust, headless, which sends votes to the Ingress.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::options::DemoOptions;
use crate::access::Access;
use crate::ports::Port;
use crate::process::ProcessSpec;
use crate::secrets::Voter;
use crate::stack::Stack;

/// The time that Locust may take in addition to the run time: for its start and for the last answers.
const EXTRA_TIME: Duration = Duration::from_mins(1);
/// The interval of the progress lines if there is no spinner.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Locust and the project's locustfile.
#[derive(Debug)]
pub(super) struct Locust {
    program: PathBuf,
    file: PathBuf,
}

/// One run of Locust.
#[derive(Debug)]
pub(super) struct Traffic {
    spec: ProcessSpec,
    run_time: Duration,
    ledger: PathBuf,
}

impl Locust {
    /// Finds the installed Locust. It is an error if the setup is not complete.
    pub(super) fn find(stack: &Stack, root: &Path) -> Result<Self> {
        let program = stack.cache().locust();
        if !program.exists() {
            bail!(
                "{} is missing: install Locust with scripts/setup.sh",
                program.display()
            );
        }
        let file = root.join("locust/locustfile.py");
        Ok(Self { program, file })
    }

    /// Prepares a run that sends the votes of `votes_file` to the Ingress and records each one in `ledger`.
    pub(super) fn traffic(
        &self,
        access: &Access,
        options: &DemoOptions,
        votes_file: &Path,
        ledger: &Path,
    ) -> Traffic {
        let users = options.users.to_string();
        let spec = ProcessSpec::new(&self.program)
            .args(["--locustfile", &self.file.display().to_string()])
            .args(["--headless", "--only-summary"])
            .args(["--users", &users, "--spawn-rate", &users])
            .args(["--run-time", &format!("{}s", options.run_time.as_secs())])
            .args(["--host", &access.url(Port::Ingress)])
            .args(["--votes-file", &votes_file.display().to_string()])
            .args(["--seed", &options.seed.to_string(), "--mix", "split=2,grpc=1"])
            .args(["--ledger", &ledger.display().to_string(), "MixedUser"]);
        let files = access.secrets.iter().flat_map(|secrets| {
            [
                ("--ca", secrets.ca()),
                ("--token-file", secrets.token_file(Voter::Client)),
            ]
        });
        let files = files.flat_map(|(option, path)| [option.to_owned(), path.display().to_string()]);
        let spec = spec.args(files.collect::<Vec<_>>());
        Traffic {
            spec,
            run_time: options.run_time,
            ledger: ledger.to_owned(),
        }
    }
}

impl Traffic {
    /// The file that contains one line for each vote.
    pub(super) fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Sends the votes and returns the duration. A failed vote is not an error here: the ledger contains it.
    pub(super) async fn send(&self, stack: &Stack) -> Result<Duration> {
        let step = stack.progress().step("traffic");
        let started = Instant::now();
        let locust = stack.spawn("locust", &self.spec, &[])?;
        let mut votes = LineCounter::new(&self.ledger);
        let mut next_line = LINE_INTERVAL;
        while !locust.wait(Duration::from_millis(500)).await {
            let elapsed = started.elapsed();
            if elapsed > self.run_time + EXTRA_TIME {
                bail!(
                    "Locust did not end within {} s after the run time; the last lines of its log:\n{}",
                    EXTRA_TIME.as_secs(),
                    stack.log_tail("locust")
                );
            }
            let (now, end) = (elapsed.as_secs(), self.run_time.as_secs());
            let progress = format!("{now} s of {end} s, {} votes", votes.count());
            step.update(&progress);
            if !step.shows_updates() && elapsed >= next_line {
                stack.progress().note(&format!("{:<24} {progress}", "traffic"));
                next_line += LINE_INTERVAL;
            }
        }
        if votes.count() == 0 {
            bail!(
                "Locust sent no vote; the last lines of its log:\n{}",
                stack.log_tail("locust")
            );
        }
        step.done(&format!("{} votes", votes.count()));
        Ok(started.elapsed())
    }
}

/// Counts the lines of a growing file. Reads each line only once.
struct LineCounter<'a> {
    path: &'a Path,
    file: Option<File>,
    lines: usize,
}

impl<'a> LineCounter<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            file: None,
            lines: 0,
        }
    }

    fn count(&mut self) -> usize {
        if self.file.is_none() {
            self.file = File::open(self.path).ok();
        }
        let mut new_bytes = Vec::new();
        // The count is only for display: after a read error, the next call reads the remainder.
        if self
            .file
            .as_mut()
            .is_some_and(|file| file.read_to_end(&mut new_bytes).is_ok())
        {
            self.lines += new_bytes.split(|byte| *byte == b'\n').count() - 1;
        }
        self.lines
    }
}
