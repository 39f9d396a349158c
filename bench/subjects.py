"""The services under test. Each measurement starts one of them in a fresh process."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common import BenchError

START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Settings:
    """Settings of all subjects: directory of the binaries, brokers, topic, runtime threads, directory for logs."""

    programs: Path
    brokers: str
    topic: str
    worker_threads: int
    log_directory: Path


@dataclass(frozen=True)
class Subject:
    """A service under test.

    Attributes:
        name: the name in the report.
        writes: True if it writes votes to Kafka.
        has_admin_port: True if it has an admin port with `/readyz`.
        command: returns the command that starts a service (`rest` or `grpc`) on an address. The second address is for
            the admin port, or for the other protocol's server, which `naive` always starts.
        environment: additional environment variables.
    """

    name: str
    writes: bool
    has_admin_port: bool
    command: Callable[[Settings, str, str, str], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


def _ours(sink: str) -> Callable[[Settings, str, str, str], list[str]]:
    def command(settings: Settings, service: str, address: str, admin_address: str) -> list[str]:
        program = [str(settings.programs / f"ingest-{service}"), *(["serve"] if service == "grpc" else [])]
        return [*program, "--listen", address, "--admin-addr", admin_address, "--sink", sink, *_common(settings)]

    return command


def _naive(settings: Settings, service: str, address: str, other_address: str) -> list[str]:
    other = "rest" if service == "grpc" else "grpc"
    listen = [f"--{service}-listen", address, f"--{other}-listen", other_address]
    return [str(settings.programs / "naive"), *listen, *_common(settings)]


def _common(settings: Settings) -> list[str]:
    return [
        *("--kafka-brokers", settings.brokers, "--topic", settings.topic),
        *("--worker-threads", str(settings.worker_threads)),
    ]


OURS = Subject("ours", writes=True, has_admin_port=True, command=_ours("kafka"))
NAIVE = Subject("naive", writes=True, has_admin_port=False, command=_naive)
FLOOR = Subject("floor", writes=False, has_admin_port=True, command=_ours("null"))


@dataclass(frozen=True)
class Usage:
    """The resource usage of a process since its start: CPU seconds (user and system) and peak resident set in bytes."""

    cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class RunningSubject:
    """A running subject."""

    address: str
    process: subprocess.Popen

    def usage(self) -> Usage:
        """Reads the resource usage from /proc."""
        directory = Path(f"/proc/{self.process.pid}")
        # The process name in parentheses can contain spaces; the fields after it cannot.
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
        peak_kib = int(status["VmHWM"].split()[0])
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), peak_kib * 1024)


def free_addresses(count: int) -> list[str]:
    """Returns distinct loopback addresses with free ports.

    All ports stay bound until each has a number, because the kernel may give a closed port again.
    """
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]


@contextmanager
def running(subject: Subject, service: str, settings: Settings) -> Iterator[RunningSubject]:
    """Starts a subject, and stops it at the end.

    Raises:
        BenchError: the subject is not ready in time.
    """
    address, other_address = free_addresses(2)
    log_path = settings.log_directory / f"{subject.name}-{service}.log"
    with log_path.open("ab") as log:
        command = subject.command(settings, service, address, other_address)
        environment = {**os.environ, **subject.environment}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own arguments
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (_listens(address) and (not subject.has_admin_port or _is_ready(other_address))):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{subject.name} is not ready on {address}: see {log_path}")
            time.sleep(0.05)
        yield RunningSubject(address, process)
    finally:
        process.terminate()
        process.wait()


def wait_for_listener(address: str, process: subprocess.Popen) -> None:
    """Waits until a process accepts connections on `address`.

    Raises:
        BenchError: the process has ended, or does not listen in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _listens(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"nothing listens on {address}")
        time.sleep(0.05)


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
