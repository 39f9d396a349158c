"""Pods are deleted under load, with grace and without."""

import time

from cluster_test import kube, load
from cluster_test.books import Books
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import Actions, balance, none_failed

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
        running, actions = load.start("MixedUser", 600, wait_ms=10), Actions()
        time.sleep(5)
        for name in SERVICES:
            actions.do(f"a pod of {name} deleted {how}", lambda name=name, options=options: delete_one(name, *options))
        rows += actions.rows(books.add(running.stop()), tolerated)
        rows.append(balance(books))
    return rows


def stores(books: Books) -> list[Row]:
    """The one pod of each store: what it held is kept."""
    running, actions = load.start("MixedUser", 900, wait_ms=10), Actions()
    time.sleep(5)
    for how, options in (("with grace", ()), ("without grace", FORCE)):
        for name in STORES:
            actions.do(f"{name} deleted {how}", lambda name=name, options=options: delete_one(name, *options))
    sent = books.add(running.stop())
    return [*actions.rows(sent, _only_kafka_is_missed), balance(books)]


def _only_kafka_is_missed(what: str, part: Load) -> bool:
    """Without Kafka no vote can be taken; the other stores are the consumer's affair."""
    return what.startswith("kafka") or not part.failed()
