//! The machine of a run: a latency without it says little.

use std::fs::read_to_string;

use crate::data::Machine;

/// Describes this machine; what cannot be found out is 0 or empty.
pub fn describe() -> Machine {
    let field = |text: &str, name: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .next()
            .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let cpu = read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| field(&text, "model name"));
    let memory = read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| field(&text, "MemTotal"));
    let kib: Option<u64> = memory.and_then(|text| text.trim_end_matches(" kB").parse().ok());
    let load = read_to_string("/proc/loadavg").ok();
    Machine {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        cpu: cpu.unwrap_or_default(),
        memory_bytes: kib.unwrap_or_default() * 1024,
        kernel: read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        load_average: load
            .and_then(|text| text.split_whitespace().next()?.parse().ok())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_processors_and_memory() {
        let machine = super::describe();
        assert!(
            machine.cores > 0 && machine.memory_bytes > 1024 * 1024,
            "{machine:?}"
        );
    }
}
