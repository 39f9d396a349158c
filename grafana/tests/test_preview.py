"""The dashboards, drawn with Grafana's components in a browser, on a stack under load."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from boardfiles import GRAFANA
from stack import CACHE, ROOT, Stack, cast_votes

# The pictures show this time. The load must run longer, because a rate needs a minute of samples.
RANGE_S = 60
LOAD_S = 130
# The browser draws the dashboards within this time.
TIMEOUT_S = 240


@contextmanager
def _load(stack: Stack) -> Iterator[None]:
    """Sends votes for many bands by every route, at a moderate rate."""
    locust = CACHE / "venv-dev/bin/locust"
    command = [locust, "--locustfile", ROOT / "locust/locustfile.py", "--headless", "--only-summary"]
    command += ["--users", "6", "--spawn-rate", "6", "--wait-ms", "50", "--mix", "split=2,grpc=1,rest=1"]
    command += ["--host", stack.endpoints["ingress"], "MixedUser"]
    log = stack.directory / "locust.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:  # noqa: S603
        try:
            yield
            assert process.poll() is None, f"Locust ended early:\n{log.read_text()}"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.preview
def test_every_panel_is_drawn_in_full(stack: Stack) -> None:
    addresses = {"PROMETHEUS_URL": stack.endpoints["prometheus"], "REDIS_URL": stack.endpoints["redis"]}
    settings = {"PREVIEW_FROM": f"now-{RANGE_S}s", "PREVIEW_PORT": str(_free_port())}
    environment = {**os.environ, **addresses, **settings}
    command = [ROOT / "scripts/web.sh", "--in", GRAFANA / "preview", "run", "e2e"]
    with _load(stack):
        # Locust does not send invalid and repeated votes, and does not read the log.
        cast_votes(stack, LOAD_S)
        result = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    assert result.returncode == 0, result.stdout + result.stderr
