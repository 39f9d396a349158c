"""Autoscaling of the consumer: by CPU, and by lag with KEDA."""

import json
import re
import subprocess
import time
from contextlib import closing

from cluster_test import kube, tls
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import describe_failures, reconciled, under_load

MIN_REPLICAS, MAX_REPLICAS = 2, 5
UP_WITHIN_S, DOWN_WITHIN_S = 150, 240
REBALANCE_S, OBSERVED_S = 10, 20
PARTITIONS = 6
APPLIED_VOTES = r'consumer_votes_total\{[^}]*result="applied"'


def ready_consumers() -> int:
    """Returns the number of ready consumer pods."""
    return sum(kube.is_ready(pod) for pod in kube.pods("consumer"))


def by_cpu(ledger: Ledger) -> list[Row]:
    """The consumer scales from 2 to 5 by CPU and back. Each replica owns partitions and counts votes."""
    _wait_for_minimum()
    with under_load(ledger, seconds=UP_WITHIN_S + 60, count=32, wait_ms=0) as actions:
        up = kube.wait_until(f"{MAX_REPLICAS} consumers", lambda: ready_consumers() == MAX_REPLICAS, UP_WITHIN_S)
        shares = _shares()
    scaled_up = Row(
        f"load scales the consumer {MIN_REPLICAS} -> {MAX_REPLICAS} by CPU",
        f"{MAX_REPLICAS} ready after {up:.0f} s",
        True,
    )
    return [scaled_up, shares, *_scale_down(ledger, "after the load", actions.sent)]


def by_lag(ledger: Ledger) -> list[Row]:
    """The consumer scales by lag (KEDA) while Redis is down. CPU would not scale it then."""
    subprocess.run([str(kube.OVERLAYS.parent / "lab" / "keda.sh")], check=True, capture_output=True)
    kube.kubectl("delete", "hpa", "consumer")
    kube.kubectl("apply", "--kustomize", str(kube.OVERLAYS / "lab-lag"))
    try:
        return _by_lag(ledger)
    finally:
        # Restore the overlay of the other stages.
        kube.kubectl("delete", "scaledobject", "consumer")
        kube.kubectl("apply", "--kustomize", str(kube.OVERLAYS / "lab"))


def _by_lag(ledger: Ledger) -> list[Row]:
    kube.kubectl("wait", "--for=condition=Ready", "scaledobject/consumer", "--timeout=90s")
    _wait_for_minimum()
    with under_load(ledger, count=16, wait_ms=0) as actions:
        kube.kubectl("scale", "statefulset/redis", "--replicas=0")
        try:
            up = kube.wait_until(
                f"{MAX_REPLICAS} consumers", lambda: len(kube.pods("consumer")) == MAX_REPLICAS, UP_WITHIN_S
            )
            lag = _lag()
            usage = kube.kubectl("top", "pods", "--selector=app.kubernetes.io/name=consumer", "--no-headers")
        finally:
            kube.kubectl("scale", "statefulset/redis", "--replicas=1")
        ready = kube.wait_until(f"{MAX_REPLICAS} consumers", lambda: ready_consumers() == MAX_REPLICAS, UP_WITHIN_S)
        shares = _shares()
    cpu = ", ".join(line.split()[1] for line in usage.splitlines())
    scaled_up = Row(
        f"lag scales the consumer {MIN_REPLICAS} -> {MAX_REPLICAS} (KEDA) while Redis is down",
        f"after {up:.0f} s, at a lag of {lag} records, with consumers that use {cpu} of CPU;"
        f" all ready {ready:.0f} s after Redis started again",
        True,
    )
    return [scaled_up, shares, *_scale_down(ledger, "when the lag is 0", actions.sent)]


def _wait_for_minimum() -> None:
    kube.wait_until(f"{MIN_REPLICAS} consumers", lambda: ready_consumers() == MIN_REPLICAS, DOWN_WITHIN_S)


def _scale_down(ledger: Ledger, when: str, sent: Load) -> list[Row]:
    """Waits for the minimum again; returns the rows for scaling down, for failed votes and for the reconciliation."""
    seconds = kube.wait_until(
        f"{MIN_REPLICAS} consumers again", lambda: len(kube.pods("consumer")) == MIN_REPLICAS, DOWN_WITHIN_S
    )
    return [
        Row(f"the consumer scales back to {MIN_REPLICAS} {when}", f"after {seconds:.0f} s", True),
        Row("no vote fails meanwhile", f"{sent.sent} votes, {describe_failures(sent)}", not sent.failed()),
        reconciled(ledger),
    ]


def _shares() -> Row:
    """Measures partitions and counted votes of each consumer that runs during the whole observation."""
    time.sleep(REBALANCE_S)
    before = {pod["metadata"]["name"]: pod for pod in kube.pods("consumer")}
    counted = {name: _sum(pod, APPLIED_VOTES) for name, pod in before.items()}
    time.sleep(OBSERVED_S)
    after = {pod["metadata"]["name"]: pod for pod in kube.pods("consumer")}
    names = sorted(before.keys() & after.keys())
    partitions = {name: len(_values(after[name], "consumer_lag_records")) for name in names}
    votes = {name: _sum(after[name], APPLIED_VOTES) - counted[name] for name in names}
    return Row(
        f"every consumer owns partitions and counts votes (within {OBSERVED_S} s)",
        "; ".join(f"{name[-5:]}: {partitions[name]} partitions, {votes[name]:.0f} votes" for name in names),
        len(names) == MAX_REPLICAS
        and sum(partitions.values()) == PARTITIONS
        and all(votes.values())
        and all(partitions.values()),
    )


def _lag() -> int:
    """Returns the lag in records that KEDA reports to the autoscaler. Consumers report none while Redis is down."""
    (metric,) = kube.get("scaledobject", "consumer")["status"]["externalMetricNames"]
    query = f"{kube.NAMESPACE}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3Dconsumer"
    answer = json.loads(kube.kubectl("get", "--raw", f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{query}"))
    value = answer["items"][0]["value"]
    return int(value.removesuffix("m")) // 1000 if value.endswith("m") else int(value)


def _sum(pod: dict, prefix: str) -> float:
    """Returns the sum of a consumer's samples whose lines start with the prefix (a regular expression)."""
    return sum(map(float, _values(pod, prefix)))


def _values(pod: dict, prefix: str) -> list[str]:
    with closing(tls.connect(tls.ADMIN, 9104, pod["status"]["podIP"])) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    return re.findall(rf"^{prefix}.* (\S+)$", text, re.MULTILINE)
