//! What the services use, as the kernel says: their own metrics count CPU time in whole seconds, and a block's share of one
//! is some hundredths.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use lab::servers::Server;
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::data::Usage;
use ephemeral_stack::Running;

/// The processes whose CPU time is part of a vote's cost.
#[derive(Debug)]
pub struct Processes(Vec<(Server, i32)>);

/// What each has used since its start.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, Usage>);

impl Processes {
    /// Those that run now.
    pub fn of(stack: Running<'_>) -> Result<Self> {
        let servers = [
            Server::Rest,
            Server::Grpc,
            Server::Bridge,
            Server::Consumer,
            Server::Ingress,
        ];
        let each = servers.into_iter().map(|server| Ok((server, stack.pid(server)?)));
        each.collect::<Result<_>>().map(Self)
    }

    /// Looks at all of them.
    pub fn totals(&self) -> Result<Totals> {
        let each = self.0.iter().map(|(server, pid)| {
            let usage =
                usage(*pid).with_context(|| format!("{server} (pid {pid}) has ended; look at its log"))?;
            Ok((server.name().to_owned(), usage))
        });
        each.collect::<Result<_>>().map(Totals)
    }
}

impl Totals {
    /// What was used since `before`.
    pub fn since(&self, before: &Self) -> BTreeMap<String, Usage> {
        let used = self.0.iter().map(|(name, now)| {
            let then = before.0.get(name).copied().unwrap_or_default();
            let usage = Usage {
                cpu_s: (now.cpu_s - then.cpu_s).max(0.0),
                rss_bytes: now.rss_bytes,
            };
            (name.clone(), usage)
        });
        used.collect()
    }
}

fn usage(pid: i32) -> Result<Usage> {
    let cpu = ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = rss.and_then(|rss| rss.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(Usage {
        cpu_s: std::time::Duration::from(cpu).as_secs_f64(),
        rss_bytes: kib.context("no memory")? * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_at_once() {
        let own = std::process::id() as i32;
        let before = usage(own).unwrap();
        let sum: u64 = std::hint::black_box(0..1_000_000_u64)
            .map(std::hint::black_box)
            .sum();
        let after = usage(own).unwrap();
        assert!(sum > 0 && after.cpu_s > before.cpu_s && after.rss_bytes > 0);
        assert!(usage(-1).is_err());
    }
}
