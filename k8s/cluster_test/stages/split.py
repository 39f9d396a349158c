"""The traffic split: by the canary annotation of the Ingress, and by the weights of the Gateway API."""

import math
import subprocess
import time

from cluster_test import kube, load
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.common import describe_failures, prometheus, reconciled

WEIGHTS = (0, 10, 50, 100)
VOTES = 2_000
# Half-width of the 99 % interval of a binomial distribution, in standard deviations.
DEVIATIONS = 2.576
# Traefik applies changed configuration at most every 2 s.
PROPAGATION_S = 4


def set_weight(weight: int, via: str) -> None:
    """Sets the weight as `make canary` does."""
    script = kube.OVERLAYS.parent / "canary.sh"
    subprocess.run([str(script), str(weight), via], check=True, capture_output=True)
    time.sleep(PROPAGATION_S)


def canary(ledger: Ledger) -> list[Row]:
    """The annotation of the canary Ingress sets the share of the bridge."""
    rows = []
    for weight in WEIGHTS:
        set_weight(weight, "ingress")
        rows.append(_share(ledger, weight, via="ingress"))
        rows.append(_metric(weight))
    set_weight(50, "ingress")
    rows.append(reconciled(ledger))
    return rows


def gateway(ledger: Ledger) -> list[Row]:
    """The weights of the HTTPRoute set the share of the bridge, and the Gateway serves native gRPC."""
    rows = []
    for weight in WEIGHTS:
        set_weight(weight, "gateway")
        rows.append(_share(ledger, weight, via="gateway"))
    set_weight(50, "gateway")
    native = ledger.add(load.start("GrpcUser", 5, gateway=True).wait())
    answered = native.acknowledged("grpc")
    rows.append(
        Row(
            "the Gateway serves native gRPC on its own host name",
            f"{dict(answered)}, {describe_failures(native)}",
            answered["grpc"] == native.sent,
        )
    )
    rows.append(reconciled(ledger))
    return rows


def _share(ledger: Ledger, weight: int, via: str) -> Row:
    seen = load.Load()
    while seen.sent < VOTES:
        seen.entries += ledger.add(load.start("SplitUser", 8, gateway=via == "gateway").wait()).entries
    answered = seen.acknowledged("split")
    votes = answered["rest"] + answered["bridge"]
    share, expected = answered["bridge"] / votes, weight / 100
    tolerance = DEVIATIONS * math.sqrt(expected * (1 - expected) / votes)
    measured = (
        f"{100 * share:.2f} % of {votes} votes went to the bridge, allowed {weight} ± {100 * tolerance:.2f} %;"
        f" {describe_failures(seen)}"
    )
    ok = abs(share - expected) <= tolerance and votes == seen.sent
    return Row(f"{via}: weight {weight}", measured, ok)


def _metric(weight: int) -> Row:
    """Waits until Prometheus has the configured weight."""

    def value() -> float | None:
        result = prometheus("ingress_split_weight_percent")
        return float(result[0]["value"][1]) if len(result) == 1 else None

    kube.wait_until("the weight in Prometheus", lambda: value() == weight, 60)
    return Row(f"Prometheus has the weight {weight} as a metric", f"ingress_split_weight_percent = {value():g}", True)
