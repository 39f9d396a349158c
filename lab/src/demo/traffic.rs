//! The load driver: Locust, headless, on the Ingress.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::DemoOptions;
use crate::ports::Port;
use crate::process::Launch;
use crate::stack::Stack;
use crate::state::Settings;

/// How long Locust may take beyond the run itself: its start, and the last answers.
const MARGIN: Duration = Duration::from_mins(1);
/// How often a log without a spinner gets a line.
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
    launch: Launch,
    run_time: Duration,
    ledger: PathBuf,
}

impl Locust {
    /// Errors where setting up is not complete, before anything is started.
    pub(super) fn find(stack: &Stack, root: &Path) -> Result<Self> {
        let program = stack.cache().locust();
        if !program.exists() {
            bail!("{} is missing: run scripts/setup.sh", program.display());
        }
        let file = root.join("locust/locustfile.py");
        Ok(Self { program, file })
    }

    /// Votes of `votes_file` to the Ingress, each noted in `ledger`.
    pub(super) fn traffic(
        &self,
        settings: &Settings,
        options: &DemoOptions,
        votes_file: &Path,
        ledger: &Path,
    ) -> Traffic {
        let users = options.users.to_string();
        let launch = Launch::new(&self.program)
            .args(["--locustfile", &self.file.display().to_string()])
            .args(["--headless", "--only-summary"])
            .args(["--users", &users, "--spawn-rate", &users])
            .args(["--run-time", &format!("{}s", options.run_time.as_secs())])
            .args(["--host", &settings.ports.url(Port::Ingress)])
            .args(["--votes-file", &votes_file.display().to_string()])
            .args(["--seed", &options.seed.to_string(), "--mix", "split=2,grpc=1"])
            .args(["--ledger", &ledger.display().to_string(), "MixedUser"]);
        Traffic {
            launch,
            run_time: options.run_time,
            ledger: ledger.to_owned(),
        }
    }
}

impl Traffic {
    /// Where every vote is noted.
    pub(super) fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Sends the votes and returns how long it took. A vote that failed is in the ledger: that is no error here.
    pub(super) async fn drive(&self, stack: &Stack) -> Result<Duration> {
        let step = stack.progress().step("traffic");
        let started = Instant::now();
        let locust = stack.spawn("locust", &self.launch, &[])?;
        let mut votes = LineCounter::new(&self.ledger);
        let mut next_line = LINE_INTERVAL;
        while !locust.wait(Duration::from_millis(500)).await {
            let elapsed = started.elapsed();
            if elapsed > self.run_time + MARGIN {
                bail!(
                    "Locust did not end in time; its log ends:\n{}",
                    stack.log_tail("locust")
                );
            }
            let (now, end) = (elapsed.as_secs(), self.run_time.as_secs());
            let progress = format!("{now} s of {end} s, {} votes", votes.count());
            step.update(&progress);
            if !step.is_live() && elapsed >= next_line {
                stack.progress().note(&format!("{:<24} {progress}", "traffic"));
                next_line += LINE_INTERVAL;
            }
        }
        if votes.count() == 0 {
            bail!("Locust sent no vote; its log ends:\n{}", stack.log_tail("locust"));
        }
        step.done(&format!("{} votes", votes.count()));
        Ok(started.elapsed())
    }
}

/// Counts the lines of a growing file, and reads each of them once.
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
        let mut grown = Vec::new();
        // For display alone: what cannot be read now is read the next time.
        if self
            .file
            .as_mut()
            .is_some_and(|file| file.read_to_end(&mut grown).is_ok())
        {
            self.lines += grown.split(|byte| *byte == b'\n').count() - 1;
        }
        self.lines
    }
}
