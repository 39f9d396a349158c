//! CPU time and memory of the servers' processes.

use std::collections::BTreeMap;

use analysis::observations::Usage;
use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::Process;

/// The processes whose resources count towards the cost of a vote, by name.
#[derive(Clone, Debug, Default)]
pub struct Processes(pub BTreeMap<String, i32>);

/// Resources that each process has used since its start.
#[derive(Clone, Debug, Default)]
pub struct Totals(pub BTreeMap<String, Usage>);

impl Processes {
    /// Reads the resources of all processes.
    pub fn totals(&self) -> Result<Totals> {
        let each = self.0.iter().map(|(name, pid)| {
            let usage =
                usage(*pid).with_context(|| format!("{name} (pid {pid}) has ended; check its log"))?;
            Ok((name.clone(), usage))
        });
        each.collect::<Result<_>>().map(Totals)
    }
}

impl Totals {
    /// CPU time since the earlier totals `before`, and the memory now.
    pub fn since(&self, before: &Self) -> BTreeMap<String, Usage> {
        let each = self.0.iter().map(|(name, now)| {
            let earlier = before.0.get(name).copied().unwrap_or_default();
            let usage = Usage {
                cpu_s: (now.cpu_s - earlier.cpu_s).max(0.0),
                rss_bytes: now.rss_bytes,
            };
            (name.clone(), usage)
        });
        each.collect()
    }
}

fn usage(pid: i32) -> Result<Usage> {
    let cpu = ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?;
    let rss_kib = Process::new(pid)?.status()?.vmrss;
    Ok(Usage {
        cpu_s: std::time::Duration::from(cpu).as_secs_f64(),
        rss_bytes: rss_kib.context("the kernel reports no resident memory")? * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_grows_with_work() {
        let own_pid = std::process::id() as i32;
        let before = usage(own_pid).unwrap();
        let sum: u64 = std::hint::black_box(0..1_000_000_u64)
            .map(std::hint::black_box)
            .sum();
        let after = usage(own_pid).unwrap();
        assert!(sum > 0 && after.cpu_s > before.cpu_s && after.rss_bytes > 0);
        assert!(usage(-1).is_err());
    }
}
