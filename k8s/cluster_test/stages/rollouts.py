"""Rolling updates of every service and the Ingress under load."""

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.common import none_failed, reconciled, under_load

WORKLOADS = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress")


def rollouts(ledger: Ledger) -> list[Row]:
    """Runs `kubectl rollout restart` for one workload after the other. No vote fails."""
    with under_load(ledger) as actions:
        for name in WORKLOADS:
            actions.run(f"rolling update of {name}", lambda name=name: kube.rollout(f"deployment/{name}"))
    return [*actions.rows(none_failed), reconciled(ledger)]
