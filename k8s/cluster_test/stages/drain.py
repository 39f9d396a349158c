"""A node is drained under load."""

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.common import balance, none_failed, under_load


def drain(books: Books) -> list[Row]:
    """The node without Kafka: budgets let replicas go one by one, and no vote fails."""
    (kafka,) = kube.pods("kafka")
    nodes = [node["metadata"]["name"] for node in kube.get("nodes")["items"]]
    node = next(name for name in nodes if name != kafka["spec"]["nodeName"])
    pods = [pod for pod in kube.get("pods")["items"] if pod["spec"].get("nodeName") == node]
    with under_load(books) as actions:
        try:
            actions.do(f"drain of a node with {len(pods)} pods", lambda: _drain(node))
            left = [
                pod["metadata"]["name"]
                for pod in kube.get("pods")["items"]
                if pod["spec"].get("nodeName") == node
                and pod["metadata"]["labels"].get("app.kubernetes.io/component") != "load"
            ]
        finally:
            kube.kubectl("uncordon", node)
    rows = actions.rows(none_failed)
    rows.append(Row("the node is empty, everything runs on the other", f"left: {left or 'none'}", not left))
    rows.append(balance(books))
    return rows


def _drain(node: str) -> None:
    # The load would otherwise be a part of what is moved.
    selector = "--pod-selector=app.kubernetes.io/component!=load"
    kube.kubectl("drain", node, "--delete-emptydir-data", "--ignore-daemonsets", selector, "--timeout=240s")
