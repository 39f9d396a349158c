"""Load makes consumers, and its end takes them away."""

import json
import re
import subprocess
import time
import urllib.request

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import balance, failures, under_load

FEWEST, MOST = 2, 5
UP_WITHIN_S, DOWN_WITHIN_S = 150, 240
SETTLED_S, OBSERVED_S = 10, 20
PARTITIONS = 6
COUNTED = r'consumer_votes_total\{[^}]*result="applied"'


def replicas() -> int:
    """Consumers that are ready."""
    return sum(kube.is_ready(pod) for pod in kube.pods("consumer"))


def by_cpu(books: Books) -> list[Row]:
    """The consumer from 2 to 5 by CPU and back, each owning partitions and counting votes."""
    kube.until(f"{FEWEST} consumers", lambda: replicas() == FEWEST, DOWN_WITHIN_S)
    with under_load(books, seconds=UP_WITHIN_S + 60, count=32, wait_ms=0) as actions:
        up = kube.until(f"{MOST} consumers", lambda: replicas() == MOST, UP_WITHIN_S)
        shares = _shares()
    down = kube.until(f"{FEWEST} consumers again", lambda: len(kube.pods("consumer")) == FEWEST, DOWN_WITHIN_S)
    return [
        Row(f"load scales the consumer {FEWEST} -> {MOST} by CPU", f"{MOST} ready after {up:.0f} s", True),
        shares,
        Row(f"and back to {FEWEST} after the load", f"after {down:.0f} s", True),
        Row(
            "no vote fails meanwhile", f"{actions.sent.sent} votes, {failures(actions.sent)}", not actions.sent.failed()
        ),
        balance(books),
    ]


def by_lag(books: Books) -> list[Row]:
    """The same by KEDA, by what waits in Kafka while Redis is away: CPU would ask for nobody."""
    subprocess.run([str(kube.OVERLAYS.parent / "lab" / "keda.sh")], check=True, capture_output=True)
    kube.kubectl("delete", "hpa", "consumer")
    kube.kubectl("apply", "--kustomize", str(kube.OVERLAYS / "lab-lag"))
    try:
        return _by_lag(books)
    finally:
        # The overlay that the other stages expect.
        kube.kubectl("delete", "scaledobject", "consumer")
        kube.kubectl("apply", "--kustomize", str(kube.OVERLAYS / "lab"))


def _by_lag(books: Books) -> list[Row]:
    kube.kubectl("wait", "--for=condition=Ready", "scaledobject/consumer", "--timeout=90s")
    kube.until(f"{FEWEST} consumers", lambda: replicas() == FEWEST, DOWN_WITHIN_S)
    with under_load(books, count=16, wait_ms=0) as actions:
        kube.kubectl("scale", "statefulset/redis", "--replicas=0")
        try:
            up = kube.until(f"{MOST} consumers", lambda: len(kube.pods("consumer")) == MOST, UP_WITHIN_S)
            waiting = _lag()
            used = kube.kubectl("top", "pods", "--selector=app.kubernetes.io/name=consumer", "--no-headers")
        finally:
            kube.kubectl("scale", "statefulset/redis", "--replicas=1")
        ready = kube.until(f"{MOST} consumers", lambda: replicas() == MOST, UP_WITHIN_S)
        shares = _shares()
    down = kube.until(f"{FEWEST} consumers again", lambda: len(kube.pods("consumer")) == FEWEST, DOWN_WITHIN_S)
    cpu = ", ".join(line.split()[1] for line in used.splitlines())
    return [
        Row(
            f"lag scales the consumer {FEWEST} -> {MOST} (KEDA) while Redis is away",
            f"after {up:.0f} s, with {waiting} records waiting and consumers that use {cpu} of CPU;"
            f" {ready:.0f} s later Redis is back and all are ready",
            True,
        ),
        shares,
        Row(f"and back to {FEWEST} when nothing waits", f"after {down:.0f} s", True),
        Row(
            "no vote fails meanwhile", f"{actions.sent.sent} votes, {failures(actions.sent)}", not actions.sent.failed()
        ),
        balance(books),
    ]


def _shares() -> Row:
    """What each consumer does, of those that are there before and after."""
    # The rebalance settles.
    time.sleep(SETTLED_S)
    before = {pod["metadata"]["name"]: pod for pod in kube.pods("consumer")}
    counted = {name: _samples(pod, COUNTED) for name, pod in before.items()}
    time.sleep(OBSERVED_S)
    after = {pod["metadata"]["name"]: pod for pod in kube.pods("consumer")}
    names = sorted(before.keys() & after.keys())
    partitions = {name: len(_found(after[name], "consumer_lag_records")) for name in names}
    votes = {name: _samples(after[name], COUNTED) - counted[name] for name in names}
    return Row(
        f"every consumer owns partitions and counts votes (of {OBSERVED_S} s)",
        "; ".join(f"{name[-5:]}: {partitions[name]} partitions, {votes[name]:.0f} votes" for name in names),
        len(names) == MOST
        and sum(partitions.values()) == PARTITIONS
        and all(votes.values())
        and all(partitions.values()),
    )


def _lag() -> int:
    """Records that wait, as KEDA tells the autoscaler; no consumer knows its place while Redis is away."""
    (metric,) = kube.get("scaledobject", "consumer")["status"]["externalMetricNames"]
    query = f"{kube.NAMESPACE}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3Dconsumer"
    answer = json.loads(kube.kubectl("get", "--raw", f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{query}"))
    value = answer["items"][0]["value"]
    return int(value.removesuffix("m")) // 1000 if value.endswith("m") else int(value)


def _samples(pod: dict, start: str) -> float:
    """The sum of a consumer's samples whose lines begin so."""
    return sum(map(float, _found(pod, start)))


def _found(pod: dict, start: str) -> list[str]:
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:9104/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return re.findall(rf"^{start}.* (\S+)$", text, re.MULTILINE)
