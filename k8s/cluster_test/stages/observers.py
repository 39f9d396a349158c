"""The viewer and Prometheus."""

import json
import time
import uuid
from contextlib import closing

from cluster_test import kube, tls
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import prometheus
from cluster_test.stages.routes import VOTE, entry, post

SCRAPED = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress", "split-weight")


def observers(ledger: Ledger) -> list[Row]:
    """The viewer shows a new vote, and Prometheus scrapes every pod."""
    vote_id = str(uuid.uuid4())
    _, answer, route = post(kube.cluster_ip("ingress"), "/v1/votes", {**VOTE, "vote_id": vote_id}, {})
    ledger.add(Load([entry(answer, route)]))
    begin = time.monotonic()
    kube.wait_until(
        "the vote in the viewer", lambda: vote_id in {vote["vote_id"] for vote in _newest()}, 30, pause_s=0.05
    )
    seconds = time.monotonic() - begin

    expected = sum(kube.is_ready(pod) for name in SCRAPED for pod in kube.pods(name))
    kube.wait_until("Prometheus' targets", lambda: len(_targets()) == expected and all(_targets()), 60)
    return [
        Row("the viewer shows a vote sent through the Ingress", f"after {seconds:.2f} s", True),
        Row("Prometheus scrapes every pod that exports metrics", f"{sum(_targets())} of {expected} pods", True),
    ]


def _newest() -> list[dict]:
    with closing(tls.connect("viewer", 8090)) as connection:
        connection.request("GET", "/api/logs?limit=20")
        return json.load(connection.getresponse())["votes"]


def _targets() -> list[bool]:
    return [sample["value"][1] == "1" for sample in prometheus("up")]
