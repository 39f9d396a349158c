"""Pods are deleted under load, with grace and without."""

from functools import partial

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import balance, none_failed, under_load

SERVICES = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "ingress")
STORES = ("redis", "mongodb", "kafka")
FORCE = ("--grace-period=0", "--force")


def delete_one(name: str, *options: str) -> None:
    """Deletes a pod, and waits until it is gone."""
    pod = kube.pods(name)[0]["metadata"]
    kube.kubectl("delete", "pod", pod["name"], *options)
    kube.until(
        f"the end of {pod['name']}",
        lambda: pod["uid"] not in {found["metadata"]["uid"] for found in kube.get("pods")["items"]},
        120,
    )


def services(books: Books) -> list[Row]:
    """One pod of each service: with grace no vote fails; without it, what fails has no receipt."""
    rows = []
    for how, options, tolerated in (("with grace", (), none_failed), ("without grace", FORCE, lambda *_: True)):
        with under_load(books) as actions:
            for name in SERVICES:
                actions.do(f"a pod of {name} deleted {how}", partial(delete_one, name, *options))
        rows += actions.rows(tolerated)
        rows.append(balance(books))
    return rows


def stores(books: Books) -> list[Row]:
    """The one pod of each store: what it held is kept."""
    with under_load(books) as actions:
        for how, options in (("with grace", ()), ("without grace", FORCE)):
            for name in STORES:
                actions.do(f"{name} deleted {how}", partial(delete_one, name, *options))
    return [*actions.rows(_only_kafka_is_missed), balance(books)]


def _only_kafka_is_missed(what: str, part: Load) -> bool:
    """Without Kafka no vote can be taken; the other stores are the consumer's affair."""
    return what.startswith("kafka") or not part.failed()
