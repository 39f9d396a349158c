//! The resident memory of our services, sampled every second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::progress::Progress;
use lab::servers::Server;
use procfs::process::Process;

use crate::environment::TestEnvironment;

/// The services that are measured.
pub(super) const SERVERS: [Server; 4] = [Server::Rest, Server::Grpc, Server::Bridge, Server::Consumer];
const INTERVAL: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// VmRSS over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Time since the start, and MiB of each process in the order of [`SERVERS`].
    pub(super) samples: Vec<(Duration, [f64; SERVERS.len()])>,
}

impl Memory {
    /// Samples the memory for `time`. Returns an error if a process exits.
    pub(super) async fn measure(
        environment: &TestEnvironment,
        time: Duration,
        progress: &Progress,
    ) -> Result<Self> {
        let step = progress.step("soak");
        let started = Instant::now();
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut memory = Self::default();
        while started.elapsed() < time {
            ticks.tick().await;
            let mut sample = [0.0; SERVERS.len()];
            for (server, value) in SERVERS.into_iter().zip(&mut sample) {
                *value = resident_mib(environment.stack().pid(server)?)
                    .with_context(|| format!("memory of {server}"))?;
            }
            memory.samples.push((started.elapsed(), sample));
            step.update(&format!("{} s, MiB: {sample:.1?}", started.elapsed().as_secs()));
        }
        step.done("finished");
        Ok(memory)
    }

    /// The medians of the second and of the last minute, in MiB.
    pub(super) fn medians(&self, server: Server) -> [Option<f64>; 2] {
        let end = self.samples.last().map_or(Duration::ZERO, |(time, _)| *time);
        [(MINUTE, 2 * MINUTE), (end.saturating_sub(MINUTE), end)].map(|(from, to)| {
            let index = SERVERS.into_iter().position(|measured| measured == server)?;
            let within = self.samples.iter().filter(|(time, _)| (from..=to).contains(time));
            let mut values: Vec<f64> = within
                .filter_map(|(_, sample)| sample.get(index).copied())
                .collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        })
    }

    /// The growth from the second to the last minute, in percent.
    pub(super) fn growth(&self, server: Server) -> Option<f64> {
        let [second, last] = self.medians(server);
        Some((last? / second? - 1.0) * 100.0)
    }
}

fn resident_mib(pid: i32) -> Result<f64> {
    let status = Process::new(pid)?.status().context("the process has exited")?;
    let kibibytes = status.vmrss.context("/proc shows no VmRSS for the process")?;
    Ok(kibibytes as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_compares_the_second_and_the_last_minute() {
        let value = |second: u64| match second {
            0..60 => 5.0,
            60..=120 => 20.0,
            _ => 22.0,
        };
        let samples = (0..300).map(|second| (Duration::from_secs(second), [value(second); SERVERS.len()]));
        let memory = Memory {
            samples: samples.collect(),
        };
        assert_eq!(memory.medians(Server::Rest), [Some(20.0), Some(22.0)]);
        assert_eq!(memory.growth(Server::Rest).map(f64::round), Some(10.0));
        assert_eq!(Memory::default().growth(Server::Rest), None);
    }
}
