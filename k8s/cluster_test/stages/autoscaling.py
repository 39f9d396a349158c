"""Load makes consumers, and its end takes them away."""

import re
import time
import urllib.request

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import balance, failures, under_load

FEWEST, MOST = 2, 5
UP_WITHIN_S, DOWN_WITHIN_S = 150, 240
OBSERVED_S = 20


def replicas() -> int:
    """Consumers that are ready."""
    return sum(kube.is_ready(pod) for pod in kube.pods("consumer"))


def autoscaling(books: Books) -> list[Row]:
    """The consumer from 2 to 5 by CPU and back, each owning partitions and counting votes."""
    kube.until(f"{FEWEST} consumers", lambda: replicas() == FEWEST, DOWN_WITHIN_S)
    with under_load(books, seconds=UP_WITHIN_S + 60, count=32, wait_ms=0) as actions:
        up = kube.until(f"{MOST} consumers", lambda: replicas() == MOST, UP_WITHIN_S)
        # The rebalance settles.
        time.sleep(10)
        before = {pod["metadata"]["name"]: _state(pod) for pod in kube.pods("consumer")}
        time.sleep(OBSERVED_S)
        after = {pod["metadata"]["name"]: _state(pod) for pod in kube.pods("consumer")}
    sent = actions.sent
    down = kube.until(f"{FEWEST} consumers again", lambda: len(kube.pods("consumer")) == FEWEST, DOWN_WITHIN_S)

    common = sorted(before.keys() & after.keys())
    parts = [f"{name[-5:]}: {after[name][0]} partitions, {after[name][1] - before[name][1]} votes" for name in common]
    busy = all(after[name][0] > 0 and after[name][1] > before[name][1] for name in common)
    owned = sum(after[name][0] for name in common)
    return [
        Row(f"load scales the consumer {FEWEST} -> {MOST}", f"{MOST} ready after {up:.0f} s", True),
        Row(
            f"every consumer owns partitions and counts votes (of {OBSERVED_S} s)",
            "; ".join(parts),
            busy and len(common) == MOST and owned == 6,
        ),
        Row(f"and back to {FEWEST} after the load", f"after {down:.0f} s", True),
        Row("no vote fails meanwhile", f"{sent.sent} votes, {failures(sent)}", not sent.failed()),
        balance(books),
    ]


def _state(pod: dict) -> tuple[int, int]:
    """Partitions that a consumer owns, and votes that it has counted."""
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:9104/metrics", timeout=5) as answer:
        text = answer.read().decode()
    partitions = len(re.findall(r"^consumer_lag_records\{", text, re.MULTILINE))
    applied = re.findall(r'^consumer_votes_total\{[^}]*result="applied"[^}]*\} (\d+)', text, re.MULTILINE)
    return partitions, sum(map(int, applied))
