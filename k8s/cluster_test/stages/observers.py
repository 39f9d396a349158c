"""Those who watch: the viewer and Prometheus."""

import json
import time
import urllib.request
import uuid

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import prometheus
from cluster_test.stages.routes import VOTE, entry, post

SCRAPED = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress", "split-weight")


def observers(books: Books) -> list[Row]:
    """A vote that is cast is seen, and every pod is measured."""
    vote_id = str(uuid.uuid4())
    _, answer, route = post(kube.cluster_ip("ingress"), "/v1/votes", {**VOTE, "vote_id": vote_id}, {})
    books.add(Load([entry(answer, route)]))
    begin = time.monotonic()
    kube.until("the vote in the viewer", lambda: vote_id in {vote["vote_id"] for vote in _newest()}, 30, pause_s=0.05)
    seconds = time.monotonic() - begin

    wanted = sum(kube.is_ready(pod) for name in SCRAPED for pod in kube.pods(name))
    kube.until("Prometheus' targets", lambda: len(_targets()) == wanted and all(_targets()), 60)
    return [
        Row("the viewer shows a vote that was cast through the Ingress", f"after {seconds:.2f} s", True),
        Row("Prometheus scrapes every pod that has metrics", f"{sum(_targets())} of {wanted} pods", True),
    ]


def _newest() -> list[dict]:
    with urllib.request.urlopen(f"http://{kube.cluster_ip('viewer')}:8090/api/logs?limit=20", timeout=5) as answer:
        return json.load(answer)["votes"]


def _targets() -> list[bool]:
    return [sample["value"][1] == "1" for sample in prometheus("up")]
