"""Every service is rolled out anew under load, the Ingress too, and no vote fails."""

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import balance, none_failed, under_load

WORKLOADS = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress")


def rollouts(books: Books) -> list[Row]:
    """`kubectl rollout restart` of one after the other."""
    with under_load(books) as actions:
        for name in WORKLOADS:
            actions.do(f"rolling update of {name}", lambda name=name: kube.rollout(f"deployment/{name}"))
    return [*actions.rows(none_failed), balance(books)]
