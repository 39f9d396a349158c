//! Describes the machine of a run, because latencies depend on the machine.

use analysis::report::model::Machine;
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

/// Describes this machine. Unknown values are 0 or empty.
pub fn describe() -> Machine {
    let cpu = CpuInfo::current().ok();
    let cpu = cpu.as_ref().and_then(|info| info.model_name(0));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Machine {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        cpu: cpu.unwrap_or_default().to_owned(),
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        kernel: kernel.trim().to_owned(),
        load_average: LoadAverage::current().map_or(0.0, |load| f64::from(load.one)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn machine_has_processors_and_memory() {
        let machine = super::describe();
        assert!(
            machine.cores > 0 && machine.memory_bytes > 1024 * 1024,
            "{machine:?}"
        );
    }
}
