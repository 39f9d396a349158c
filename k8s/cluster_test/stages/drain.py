"""Drain of a node under load."""

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.common import none_failed, reconciled, under_load


def drain(ledger: Ledger) -> list[Row]:
    """Drains the node without Kafka. Disruption budgets make the drain evict replicas one by one; no vote fails."""
    (kafka,) = kube.pods("kafka")
    nodes = [node["metadata"]["name"] for node in kube.get("nodes")["items"]]
    node = next(name for name in nodes if name != kafka["spec"]["nodeName"])
    pods = [pod for pod in kube.get("pods")["items"] if pod["spec"].get("nodeName") == node]
    with under_load(ledger) as actions:
        try:
            actions.run(f"drain of a node with {len(pods)} pods", lambda: _drain(node))
            left = [
                pod["metadata"]["name"]
                for pod in kube.get("pods")["items"]
                if pod["spec"].get("nodeName") == node
                and pod["metadata"]["labels"].get("app.kubernetes.io/component") != "load"
            ]
        finally:
            kube.kubectl("uncordon", node)
    rows = actions.rows(none_failed)
    rows.append(Row("the drained node has no pods of the system", f"remaining: {left or 'none'}", not left))
    rows.append(reconciled(ledger))
    return rows


def _drain(node: str) -> None:
    # Do not evict the load generator.
    selector = "--pod-selector=app.kubernetes.io/component!=load"
    kube.kubectl("drain", node, "--delete-emptydir-data", "--ignore-daemonsets", selector, "--timeout=240s")
