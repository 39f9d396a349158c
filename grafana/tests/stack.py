"""A stack of real servers for the tests: on free ports, in a temporary directory, stopped after the tests."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
import requests
from dualpath_locust.pb import votes_pb2, votes_pb2_grpc

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"
LAB = ROOT / "target/release/lab"
ROUTES = ("rest", "grpc", "bridge")
VOTE = {"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"}
# Prometheus scrapes every 2 s and evaluates rules every 5 s.
TIMEOUT_S = 30
POLL_INTERVAL_S = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Stack:
    """A running stack: the endpoints of its servers, and its state directory."""

    endpoints: dict[str, str]
    directory: Path

    def lab(self, *arguments: str) -> None:
        """Runs a command of `lab` on this stack."""
        command = [LAB, *arguments, "--state-dir", self.directory]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 (our own program)

    def metrics(self) -> dict[str, str]:
        """Returns the metrics page of each service, by the name of the service."""
        admins = {name.removesuffix("_admin"): url for name, url in self.endpoints.items() if name.endswith("_admin")}
        del admins["ingress"]
        return {name: requests.get(f"{url}/metrics", timeout=5).text for name, url in admins.items()}

    def instant(self, expr: str) -> list[dict]:
        """Runs an instant query on Prometheus."""
        return self._query("query", query=expr)

    def range(self, expr: str) -> list[dict]:
        """Runs a range query over the last two minutes on Prometheus."""
        now = time.time()
        return self._query("query_range", query=expr, start=now - 120, end=now, step=2)

    def label_values(self, label: str, match: str | None = None) -> set[str]:
        """Returns the values of a label in Prometheus."""
        url = f"{self.endpoints['prometheus']}/api/v1/label/{label}/values"
        answer = requests.get(url, params={"match[]": match} if match else {}, timeout=5)
        return set(_data(answer))

    def _query(self, kind: str, **form: str | float) -> list[dict]:
        answer = requests.post(f"{self.endpoints['prometheus']}/api/v1/{kind}", data=form, timeout=10)
        return _data(answer)["result"]


@contextmanager
def running(directory: Path) -> Iterator[Stack]:
    """Starts every server; stops them at the end, also if this process is killed."""
    log = directory / "lab.log"
    command = [LAB, "up", "--until-stdin-closes", "--free-ports", "--state-dir", directory]
    with log.open("wb") as errors:
        supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603
    try:
        line = supervisor.stdout.readline()
        assert line, f"the stack did not start:\n{log.read_text()}"
        yield Stack(json.loads(line), directory)
    finally:
        supervisor.stdin.close()
        supervisor.wait(timeout=60)


def eventually(check: Callable[[], T], what: str) -> T:
    """Repeats a check until its result is truthy; returns the result."""
    started = time.monotonic()
    while not (result := check()):
        assert time.monotonic() - started < TIMEOUT_S, f"timeout: waited {TIMEOUT_S} s for {what}"
        time.sleep(POLL_INTERVAL_S)
    return result


def cast_votes(stack: Stack, seconds: float) -> None:
    """Sends valid, invalid and repeated votes by every route and through the split, and reads the log of votes."""
    ingress = stack.endpoints["ingress"]
    http = requests.Session()
    with grpc.insecure_channel(ingress.removeprefix("http://")) as channel:
        stub = votes_pb2_grpc.VoteServiceStub(channel)
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            for path in ("/v1/votes", "/v1/votes", "/rest/v1/votes", "/grpc/v1/votes"):
                assert http.post(f"{ingress}{path}", json=VOTE, timeout=5).status_code == 202, path
            stub.CastVote(votes_pb2.Vote(**VOTE), timeout=5)
            rejected = http.post(f"{ingress}/v1/votes", json={**VOTE, "year": "never"}, timeout=5)
            assert rejected.status_code == 422, rejected.text
            repeated = {**VOTE, "vote_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
            assert http.post(f"{ingress}/v1/votes", json=repeated, timeout=5).status_code == 202
            assert http.get(f"{stack.endpoints['viewer']}/api/logs", timeout=5).ok
            time.sleep(0.05)


def _data(answer: requests.Response) -> dict | list:
    body = answer.json()
    assert body["status"] == "success", body.get("error")
    return body["data"]
