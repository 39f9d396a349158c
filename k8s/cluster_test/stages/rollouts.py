"""Every service is rolled out anew under load, the Ingress too, and no vote fails."""

import time

from cluster_test import kube, load
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import Actions, balance, none_failed

WORKLOADS = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress")


def rollouts(books: Books) -> list[Row]:
    """`kubectl rollout restart` of one after the other."""
    running, actions = load.start("MixedUser", 900, wait_ms=10), Actions()
    time.sleep(5)
    for name in WORKLOADS:
        actions.do(f"rolling update of {name}", lambda name=name: kube.rollout(f"deployment/{name}"))
    sent = books.add(running.stop())
    return [*actions.rows(sent, none_failed), balance(books)]
