"""Functions that several stages use."""

import json
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cluster_test import kube, load
from cluster_test.ledger import Ledger
from cluster_test.load import Load, RunningLoad
from cluster_test.pod_logs import PodLogs
from cluster_test.report import Row

# Seconds of load after an action that are counted to it, because its effect can last a little longer.
AFTER_S = 5
# Seconds of load before the first action.
BEFORE_S = 5


def reconciled(ledger: Ledger) -> Row:
    """Reconciles all votes so far; returns a row for the result."""
    counts = ledger.reconcile()
    seen = [
        f"{route} {figures['acknowledged']}" for route, figures in sorted(counts.items()) if figures["acknowledged"]
    ]
    return Row(
        "sent = acknowledged = Kafka = Redis = MongoDB, per route and by id", f"so far {', '.join(seen)}", bool(seen)
    )


def describe_failures(sent: Load, *paths: str) -> str:
    """Describes how many votes of these paths failed, and with which status."""
    failed = sent.failed(*paths)
    kinds = Counter(entry["status"] for entry in failed)
    return f"{len(failed)} failed" + (f" ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})" if kinds else "")


def describe_by_protocol(sent: Load) -> str:
    """Describes how many votes failed on HTTP and on gRPC."""
    return f"REST and bridge: {describe_failures(sent, 'split', 'rest')}; gRPC: {describe_failures(sent, 'grpc')}"


@dataclass(frozen=True)
class Window:
    """The time of an action, including the seconds after it.

    Attributes:
        what: the action.
        begin: seconds since the Unix epoch.
        end: seconds since the Unix epoch.
    """

    what: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.end - self.begin


class Actions:
    """Actions during a running load, each with its time window."""

    def __init__(self, ledger: Ledger, running: RunningLoad) -> None:
        """Starts without actions."""
        self.windows: list[Window] = []
        self._ledger, self._running = ledger, running
        self._logs = PodLogs(ledger.directory / "logs" / running.name)
        self.sent = Load()

    def run(self, what: str, action: Callable[[], object]) -> None:
        """Runs an action, and waits until all workloads are ready again."""
        begin = time.time()
        action()
        kube.wait_until(f"readiness after {what}", kube.all_ready, 240)
        time.sleep(AFTER_S)
        self.windows.append(Window(what, begin, time.time()))

    def end(self) -> None:
        """Stops the load and adds its votes to the ledger. Keeps the pods' logs if a vote failed."""
        try:
            self.sent = self._ledger.add(self._running.stop())
        finally:
            self._logs.stop(keep=not self.sent.entries or bool(self.sent.failed()))

    def rows(self, tolerated: Callable[[str, Load], bool]) -> list[Row]:
        """Returns a row for each action: the votes sent during it, and the failures.

        Args:
            tolerated: tells whether the failures during an action are acceptable.
        """
        rows = []
        for window in self.windows:
            part = self.sent.between(window.begin, window.end)
            measured = f"{part.sent} votes in {window.seconds:.0f} s; {describe_by_protocol(part)}"
            rows.append(Row(window.what, measured, part.sent > 0 and tolerated(window.what, part)))
        return rows


@contextmanager
def under_load(ledger: Ledger, *, seconds: int = 900, count: int = 8, wait_ms: int = 10) -> Iterator[Actions]:
    """Sends votes by all routes during the block; adds them to the ledger at its end, also after an exception."""
    actions = Actions(ledger, load.start("MixedUser", seconds, count=count, wait_ms=wait_ms))
    try:
        time.sleep(BEFORE_S)
        yield actions
    finally:
        actions.end()


def none_failed(_: str, part: Load) -> bool:
    """Tells whether every vote has a receipt."""
    return not part.failed()


def prometheus(query: str) -> list[dict]:
    """Returns the result of an instant query of Prometheus."""
    url = f"http://{kube.cluster_ip('prometheus')}:9090/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]
