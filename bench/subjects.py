"""The services under test: one process at a time, started for one measurement."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h2load

START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Setting:
    """What all subjects share: where the programs are, the broker and topic, runtime threads."""

    programs: Path
    brokers: str
    topic: str
    worker_threads: int
    log_directory: Path


@dataclass(frozen=True)
class Subject:
    """A service under test.

    Attributes:
        name: as it stands in the report.
        writes: True if its votes go to Kafka.
        has_admin_port: True if it says on its admin port when it is ready.
        command: the command that serves a half (`rest` or `grpc`) on an address; the other address is for its admin
            port or for the half that is not under test.
    """

    name: str
    writes: bool
    has_admin_port: bool
    command: Callable[[Setting, str, str, str], list[str]]


def _ours(sink: str) -> Callable[[Setting, str, str, str], list[str]]:
    def command(setting: Setting, half: str, address: str, admin_address: str) -> list[str]:
        program = [str(setting.programs / f"ingest-{half}"), *(["serve"] if half == "grpc" else [])]
        return [*program, "--listen", address, "--admin-addr", admin_address, "--sink", sink, *_common(setting)]

    return command


def _naive(setting: Setting, half: str, address: str, other_address: str) -> list[str]:
    other = "rest" if half == "grpc" else "grpc"
    listen = [f"--{half}-listen", address, f"--{other}-listen", other_address]
    return [str(setting.programs / "naive"), *listen, *_common(setting)]


def _common(setting: Setting) -> list[str]:
    return [
        *("--kafka-brokers", setting.brokers, "--topic", setting.topic),
        *("--worker-threads", str(setting.worker_threads)),
    ]


OURS = Subject("ours", writes=True, has_admin_port=True, command=_ours("kafka"))
NAIVE = Subject("naive", writes=True, has_admin_port=False, command=_naive)
FLOOR = Subject("floor", writes=False, has_admin_port=True, command=_ours("null"))


@dataclass(frozen=True)
class Usage:
    """What a process has used so far: CPU seconds (user and system) and its largest resident set, bytes."""

    cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Running:
    """A running subject."""

    address: str
    process: subprocess.Popen

    def usage(self) -> Usage:
        """Reads the process's accounts."""
        directory = Path(f"/proc/{self.process.pid}")
        # The name in parentheses may hold spaces; what follows does not.
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
        peak_kib = int(status["VmHWM"].split()[0])
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), peak_kib * 1024)


def free_address() -> str:
    """A loopback address with a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def running(subject: Subject, half: str, setting: Setting) -> Iterator[Running]:
    """Starts a subject and stops it again.

    Raises:
        h2load.BenchError: it is not ready in time.
    """
    address, other_address = free_address(), free_address()
    log_path = setting.log_directory / f"{subject.name}-{half}.log"
    with log_path.open("ab") as log:
        command = subject.command(setting, half, address, other_address)
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own arguments
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (_listens(address) and (not subject.has_admin_port or _is_ready(other_address))):
            if process.poll() is not None or time.monotonic() > deadline:
                raise h2load.BenchError(f"{subject.name} is not ready on {address}; see {log_path}")
            time.sleep(0.05)
        yield Running(address, process)
    finally:
        process.terminate()
        process.wait()


def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return False
    return True


def _is_ready(admin_address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{admin_address}/readyz"):
            return True
    except urllib.error.URLError:
        return False
