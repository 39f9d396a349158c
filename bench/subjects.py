"""The services under test. Each measurement starts one of them in a fresh process."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import report
from common import ROOT, BenchError
from usage import Usage, process_usage

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


def collector(program: Path) -> Subject:
    """Returns the OpenTelemetry Collector as a subject."""

    def command(settings: Settings, service: str, address: str, other_address: str) -> list[str]:
        http, grpc = (address, other_address) if service == "rest" else (other_address, address)
        # `env` becomes the program, so the process id stays the same. GOMAXPROCS: the threads that run Go code.
        variables = {"COLLECTOR_HTTP": http, "COLLECTOR_GRPC": grpc, "KAFKA_BROKERS": settings.brokers}
        variables |= {"KAFKA_TOPIC": settings.topic, "GOMAXPROCS": str(settings.worker_threads)}
        variables["METRICS_PORT"] = free_addresses(1)[0].split(":")[1]
        config = ROOT / "bench" / "collector.yaml"
        return ["env", *(f"{name}={value}" for name, value in variables.items()), str(program), "--config", str(config)]

    return Subject(report.COLLECTOR, writes=True, has_admin_port=False, command=command)


def before(programs: Path) -> Subject:
    """Returns ours, from the programs of another version in this directory."""

    def command(settings: Settings, service: str, address: str, admin_address: str) -> list[str]:
        return OURS.command(replace(settings, programs=programs), service, address, admin_address)

    return replace(OURS, name=report.BEFORE, command=command)


OURS = Subject(report.OURS, writes=True, has_admin_port=True, command=_ours("kafka"))
NAIVE = Subject(report.NAIVE, writes=True, has_admin_port=False, command=_naive)
FLOOR = Subject(report.FLOOR, writes=False, has_admin_port=True, command=_ours("null"))


@dataclass(frozen=True)
class RunningSubject:
    """A running subject."""

    address: str
    process: subprocess.Popen

    def usage(self) -> Usage:
        """Reads the resource usage of the process."""
        return process_usage(self.process.pid)


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
        wait_until_ready(subject.name, process, address, other_address if subject.has_admin_port else None)
        yield RunningSubject(address, process)
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(name: str, process: subprocess.Popen, address: str, admin_address: str | None) -> None:
    """Waits until a process accepts connections on `address`, and reports on its admin port, if any, that it is ready.

    Raises:
        BenchError: the process has ended, or is not ready in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (_listens(address) and (admin_address is None or _is_ready(admin_address))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{name} is not ready on {address}: see its log")
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
