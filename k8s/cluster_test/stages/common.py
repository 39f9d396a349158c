"""What several stages do."""

import json
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster_test import kube, load
from cluster_test.books import Books
from cluster_test.load import Load, Running
from cluster_test.report import Row

# A vote that was sent shortly before the end of an action may still suffer from it.
AFTER_S = 5
# What a load sends before anything happens.
BEFORE_S = 5


def balance(books: Books) -> Row:
    """The row that says whether everything so far is in every store, once."""
    counts = books.check()
    seen = [
        f"{route} {figures['acknowledged']}" for route, figures in sorted(counts.items()) if figures["acknowledged"]
    ]
    return Row(
        "sent = acknowledged = Kafka = Redis = MongoDB, per route and by id", f"so far {', '.join(seen)}", bool(seen)
    )


def failures(sent: Load, *paths: str) -> str:
    """How many votes of these paths failed, and how."""
    failed = sent.failed(*paths)
    kinds = Counter(entry["status"] for entry in failed)
    return f"{len(failed)} failed" + (f" ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})" if kinds else "")


class Actions:
    """Actions under load, each with the time that it took."""

    def __init__(self, books: Books, running: Running) -> None:
        """Begins with none."""
        self._windows: list[tuple[str, float, float]] = []
        self._books, self._running = books, running
        self.sent = Load()

    def do(self, what: str, action: Callable[[], object]) -> None:
        """Acts, and waits until everything is ready again."""
        begin = time.time()
        action()
        kube.until(f"everything ready after {what}", kube.all_ready, 240)
        time.sleep(AFTER_S)
        self._windows.append((what, begin, time.time()))

    def end(self) -> None:
        """Ends the load and enters what it has sent."""
        self.sent = self._books.add(self._running.stop())

    def rows(self, tolerated: Callable[[str, Load], bool]) -> list[Row]:
        """A row for each action: what was sent meanwhile and what failed."""
        rows = []
        for what, begin, end in self._windows:
            part = self.sent.between(begin, end)
            measured = (
                f"{part.sent} votes in {end - begin:.0f} s; REST and bridge: {failures(part, 'split', 'rest')};"
                f" gRPC: {failures(part, 'grpc')}"
            )
            rows.append(Row(what, measured, part.sent > 0 and tolerated(what, part)))
        return rows


@contextmanager
def under_load(books: Books, *, seconds: int = 900, count: int = 8, wait_ms: int = 10) -> Iterator[Actions]:
    """All routes are used while the block acts; what was sent is entered in the books however the block ends."""
    actions = Actions(books, load.start("MixedUser", seconds, count=count, wait_ms=wait_ms))
    try:
        time.sleep(BEFORE_S)
        yield actions
    finally:
        actions.end()


def none_failed(_: str, part: Load) -> bool:
    """Whether every vote has its receipt."""
    return not part.failed()


def prometheus(query: str) -> list[dict]:
    """The result of a query."""
    url = f"http://{kube.cluster_ip('prometheus')}:9090/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]
