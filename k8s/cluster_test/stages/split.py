"""The weight decides, by the canary annotation and by the Gateway's weights alike."""

import math
import subprocess
import time

from cluster_test import kube, load
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import balance, failures, prometheus

WEIGHTS = (0, 10, 50, 100)
VOTES = 2_000
# Of a binomial distribution: 99 of 100 fair splits lie within so many standard deviations.
DEVIATIONS = 2.576
# Traefik takes over what has changed at most every 2 s.
TAKE_OVER_S = 4


def set_weight(weight: int, via: str) -> None:
    """What `make canary` does."""
    script = kube.OVERLAYS.parent / "canary.sh"
    subprocess.run([str(script), str(weight), via], check=True, capture_output=True)
    time.sleep(TAKE_OVER_S)


def canary(books: Books) -> list[Row]:
    """The annotation of the canary Ingress."""
    rows = []
    for weight in WEIGHTS:
        set_weight(weight, "ingress")
        rows.append(_share(books, weight, via="ingress"))
        rows.append(_metric(weight))
    set_weight(50, "ingress")
    rows.append(balance(books))
    return rows


def gateway(books: Books) -> list[Row]:
    """The weights of the HTTPRoute, and native gRPC by the GRPCRoute's host name."""
    rows = []
    for weight in WEIGHTS:
        set_weight(weight, "gateway")
        rows.append(_share(books, weight, via="gateway"))
    set_weight(50, "gateway")
    native = books.add(load.start("GrpcUser", 5, gateway=True).wait())
    answered = native.answered("grpc")
    rows.append(
        Row(
            "GRPCRoute on a host name of its own",
            f"{dict(answered)}, {failures(native)}",
            answered["grpc"] == native.sent,
        )
    )
    rows.append(balance(books))
    return rows


def _share(books: Books, weight: int, via: str) -> Row:
    seen = load.Load()
    while seen.sent < VOTES:
        seen.entries += books.add(load.start("SplitUser", 8, gateway=via == "gateway").wait()).entries
    answered = seen.answered("split")
    votes = answered["rest"] + answered["bridge"]
    share, wanted = answered["bridge"] / votes, weight / 100
    tolerance = DEVIATIONS * math.sqrt(wanted * (1 - wanted) / votes)
    measured = (
        f"{100 * share:.2f} % of {votes} votes went to the bridge, allowed {weight} ± {100 * tolerance:.2f} %;"
        f" {failures(seen)}"
    )
    right = abs(share - wanted) <= tolerance and votes == seen.sent
    return Row(f"{via}: weight {weight}", measured, right)


def _metric(weight: int) -> Row:
    """Prometheus knows what was asked for."""

    def value() -> float | None:
        result = prometheus("ingress_split_weight_percent")
        return float(result[0]["value"][1]) if len(result) == 1 else None

    kube.until("the weight in Prometheus", lambda: value() == weight, 60)
    return Row(f"Prometheus has the weight {weight} as a metric", f"ingress_split_weight_percent = {value():g}", True)
