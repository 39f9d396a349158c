"""CPU time and memory of a process, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """The resource usage of a process since its start: CPU seconds (user and system) and peak resident set in bytes."""

    cpu_seconds: float
    peak_rss_bytes: int


def process_usage(pid: int) -> Usage:
    """Reads the resource usage of a running process."""
    directory = Path(f"/proc/{pid}")
    # The process name in parentheses can contain spaces; the fields after it cannot.
    fields = (directory / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
    peak_kib = int(status["VmHWM"].split()[0])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), peak_kib * 1024)
