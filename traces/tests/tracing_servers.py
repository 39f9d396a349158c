"""A real OpenTelemetry Collector and a real Jaeger, on free ports of the loopback interface."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

TRACES = Path(__file__).parents[1]
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class TracingServers:
    """The address of each listener, as host:port."""

    collector_grpc: str
    collector_http: str
    jaeger_http: str

    def trace(self, trace_id: str) -> list[dict]:
        """Returns the spans of a trace as Jaeger's API has them, each with the name of its service; [] if unknown."""
        response = requests.get(f"http://{self.jaeger_http}/api/traces/{trace_id}", timeout=10)
        if response.status_code == requests.codes.not_found:
            return []
        response.raise_for_status()
        spans = []
        for trace in response.json()["data"]:
            services = {key: process["serviceName"] for key, process in trace["processes"].items()}
            spans += [{**span, "service": services[span["processID"]]} for span in trace["spans"]]
        return spans


@contextmanager
def tracing_servers(directory: Path) -> Iterator[TracingServers]:
    """Compiles both programs if needed, starts them, and stops them at the end. Their logs are in `directory`."""
    command = [TRACES / "build.sh", "jaeger", "otelcol"]
    build = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 (our own script)
    jaeger, collector = map(Path, build.stdout.splitlines())
    names = ("COLLECTOR_GRPC", "COLLECTOR_HTTP", "JAEGER_GRPC", "JAEGER_HTTP", "JAEGER_QUERY_GRPC")
    addresses = dict(zip(names, _free_addresses(len(names)), strict=True))
    with ExitStack() as processes:
        for program, config in ((jaeger, "jaeger.yaml"), (collector, "collector.yaml")):
            processes.enter_context(_running(program, TRACES / config, addresses, directory))
        for name in ("JAEGER_GRPC", "JAEGER_HTTP", "COLLECTOR_GRPC", "COLLECTOR_HTTP"):
            _wait_for_listener(addresses[name], directory)
        yield TracingServers(addresses["COLLECTOR_GRPC"], addresses["COLLECTOR_HTTP"], addresses["JAEGER_HTTP"])


@contextmanager
def _running(program: Path, config: Path, addresses: dict[str, str], directory: Path) -> Iterator[None]:
    with (directory / f"{program.name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [program, "--config", config], env={**os.environ, **addresses}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_addresses(count: int) -> list[str]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = ["{}:{}".format(*listener.getsockname()) for listener in listeners]
    for listener in listeners:
        listener.close()
    return addresses


def _wait_for_listener(address: str, directory: Path) -> None:
    host, port = address.split(":")
    started = time.monotonic()
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() - started < START_TIMEOUT_S, f"nothing listens on {address}: see {directory}"
            time.sleep(0.1)
        else:
            return
