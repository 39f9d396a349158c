"""Deletion of pods under load, with and without a grace period."""

from functools import partial

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import none_failed, reconciled, under_load

SERVICES = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "ingress")
STORES = ("redis", "mongodb", "kafka")
FORCE = ("--grace-period=0", "--force")


def delete_one(name: str, *options: str) -> None:
    """Deletes one pod of this name, and waits until it is gone."""
    pod = kube.pods(name)[0]["metadata"]
    kube.kubectl("delete", "pod", pod["name"], *options)
    kube.wait_until(
        f"the end of {pod['name']}",
        lambda: pod["uid"] not in {found["metadata"]["uid"] for found in kube.get("pods")["items"]},
        120,
    )


def services(ledger: Ledger) -> list[Row]:
    """Deletes one pod of each service. With grace no vote fails. Without, no vote with a receipt is lost."""
    rows = []
    for how, options, tolerated in (("with grace", (), none_failed), ("without grace", FORCE, lambda *_: True)):
        with under_load(ledger) as actions:
            for name in SERVICES:
                actions.run(f"a pod of {name} deleted {how}", partial(delete_one, name, *options))
        rows += actions.rows(tolerated)
        rows.append(reconciled(ledger))
    return rows


def stores(ledger: Ledger) -> list[Row]:
    """Deletes the pod of each store. No data is lost."""
    with under_load(ledger) as actions:
        for how, options in (("with grace", ()), ("without grace", FORCE)):
            for name in STORES:
                actions.run(f"{name} deleted {how}", partial(delete_one, name, *options))
    return [*actions.rows(_only_kafka_may_cause_failures), reconciled(ledger)]


def _only_kafka_may_cause_failures(what: str, part: Load) -> bool:
    """Routes cannot accept votes without Kafka. They do not use the other stores."""
    return what.startswith("kafka") or not part.failed()
