"""The viewer on Knative Serving, which has the API of Cloud Run: `viewer/cloudrun.yaml` with a read-only user."""

import http.client
import json
import math
import statistics
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

from cluster_test import kube, mongodb
from cluster_test.follower import Follower
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import reconciled
from cluster_test.stages.routes import VOTE, entry, post
from cluster_test.stages.split import DEVIATIONS
from cluster_test.voter import Voter

LAB = kube.OVERLAYS.parent / "lab"
NAMESPACE, SERVICE, PORT = "cloud-run", "dualpath-viewer", 8000
HOST = f"{SERVICE}.{NAMESPACE}.dualpath.example"
# A page of the log: its answer needs MongoDB.
LOGS, STATUS = "/api/logs?limit=1", "/api/status"
READY_WITHIN_S, ZERO_WITHIN_S, ANSWER_WITHIN_S = 120, 90, 15
COLD_STARTS = 10
# The share of the first revision in the split, and the number of requests. The viewer allows 20 a second per client.
PERCENT, REQUESTS, PAUSE_S = 70, 600, 0.06
# Requests without a pause: more than the viewer allows a client, and far less.
BURST, FEW = 400, 20
# Requests after a new revision is ready.
NEW_REQUESTS = 20
# Seconds without an open stream, before the client reconnects.
GAP_S = 3
# Longer than a request is allowed to last without an answer.
TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    """An answer of the viewer."""

    status: int
    body: dict
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status == http.HTTPStatus.OK

    @property
    def has_prometheus(self) -> bool | None:
        """Whether the revision that answered has Prometheus; None if it is unknown. The second revision has it."""
        metrics = self.body.get("metrics")
        return None if metrics is None else metrics != "not_configured"


@dataclass(frozen=True)
class Viewer:
    """The viewer on Knative."""

    address: str

    def get(self, path: str, source: str = "", headers: dict[str, str] | None = None) -> Answer:
        """Requests a path on a new connection, from this address of this machine."""
        started = time.monotonic()
        connection = http.client.HTTPConnection(self.address, PORT, timeout=TIMEOUT_S, source_address=(source, 0))
        try:
            connection.request("GET", path, headers={"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/")
        return Answer(answer.status, json.loads(content) if is_json else {}, time.monotonic() - started)

    def follow(self, last_event_id: str | None = None) -> Follower:
        """Opens a stream of new votes."""
        return Follower(self.address, PORT, HOST, last_event_id)


def knative(ledger: Ledger) -> list[Row]:
    """The viewer on Knative: scaling from and to zero, a stream across revisions, a split, a read-only user."""
    run = subprocess.run([str(LAB / "knative.sh")], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise kube.ClusterError(f"Knative was not installed: {run.stderr.strip()[-800:]}")
    with mongodb.with_users():
        try:
            return _measure(ledger)
        finally:
            _delete()


def _measure(ledger: Ledger) -> list[Row]:
    rows = [_deploy()]
    viewer = Viewer(_get("service", "traefik", namespace="knative-serving")["spec"]["clusterIP"])
    first = _revision()
    _vote(ledger)
    cold, to_zero = _cold_starts(viewer)
    rows += [cold, to_zero.row]
    rows += _stream(viewer, ledger, first, to_zero.longest_s)
    rows += [_split(viewer, first, _revision()), _limits()]
    rows += _read_only(ledger)
    rows.append(reconciled(ledger))
    return rows


def _delete() -> None:
    """Deletes the Service with its pods, then the namespace.

    Kubernetes looks at a namespace with pods again after half of their grace period, which is an hour.
    """
    options = ("--cascade=foreground", "--ignore-not-found", "--timeout=120s")
    # After an exception, which is not to be hidden by another one, there may be no Service.
    kube.kubectl("delete", "services.serving.knative.dev", SERVICE, f"--namespace={NAMESPACE}", *options, check=False)
    kube.kubectl("delete", "namespace", NAMESPACE, *options, check=False)


def _deploy() -> Row:
    started = time.monotonic()
    kube.kubectl("apply", f"--namespace={NAMESPACE}", "--kustomize", str(LAB / "knative/viewer"))
    kube.wait_until("readiness of the Knative Service", lambda: _is_ready(1), READY_WITHIN_S)
    seconds = time.monotonic() - started
    enforced = _get("namespace", NAMESPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    return Row(
        f"`viewer/cloudrun.yaml` is ready on Knative Serving within {READY_WITHIN_S} s, and its pods are restricted",
        f"revision {_revision()} after {seconds:.0f} s; Pod Security Standard: {enforced}",
        enforced == "restricted",
    )


@dataclass(frozen=True)
class ToZero:
    """The seconds from the last answer to zero pods, after each cold start."""

    seconds: list[float]

    @property
    def longest_s(self) -> float:
        """The longest time."""
        return max(self.seconds)

    @property
    def row(self) -> Row:
        """The row of the report."""
        return Row(
            f"back to zero within {ZERO_WITHIN_S} s after the last answer (window and grace period: 6 s each)",
            f"{min(self.seconds):.0f} to {self.longest_s:.0f} s, {len(self.seconds)} times",
            self.longest_s <= ZERO_WITHIN_S,
        )


def _cold_starts(viewer: Viewer) -> tuple[Row, ToZero]:
    """Sends the first request to zero pods, again and again."""
    _wait_for_zero()
    answers, warm, to_zero, started = [], [], [], set()
    for _ in range(COLD_STARTS):
        answers.append(viewer.get(LOGS))
        started.update(_pods())
        warm.append(viewer.get(LOGS).seconds)
        to_zero.append(_wait_for_zero())
    seconds = [answer.seconds for answer in answers]
    row = Row(
        f"scale from zero: the first request gets its answer, with a vote of the log, within {ANSWER_WITHIN_S} s",
        f"{sum(answer.ok for answer in answers)} of {COLD_STARTS} answered by {len(started)} new pods;"
        f" p50 {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s; the next request: p50"
        f" {1000 * statistics.median(warm):.0f} ms",
        all(answer.ok and answer.body["votes"] for answer in answers)
        and len(started) == COLD_STARTS
        and max(seconds) <= ANSWER_WITHIN_S,
    )
    return row, ToZero(to_zero)


def _stream(viewer: Viewer, ledger: Ledger, first: str, to_zero_s: float) -> list[Row]:
    """Follows the log alone, then while a new revision starts, then after a reconnect."""
    # Without the stream, the pod would be gone after half of this time.
    alone_s = max(30.0, 2 * to_zero_s)
    with closing(viewer.follow()) as follower, closing(Voter(ledger)) as voter:
        rows = [_alone(follower, first, alone_s)]
        row, second = _across_revisions(viewer, follower, first, alone_s)
        rows.append(row)
        follower.close()
        before = len(voter.acknowledged)
        time.sleep(GAP_S)
        missed = len(voter.acknowledged) - before
        with closing(viewer.follow(follower.last_event_id)) as resumed:
            rows.append(_old_ends(resumed, first, second))
            voter.stop()
            rows.append(_completeness(voter.acknowledged, follower, resumed, missed))
    return rows


def _alone(follower: Follower, first: str, seconds: float) -> Row:
    (pod,) = _pods(first)
    kept = _stays(pod, first, seconds) and follower.is_open
    return Row(
        f"an open stream keeps its pod, also {seconds:.0f} s after the last other request",
        f"{'the same pod all the time' if kept else 'the pod or the stream ended'},"
        f" {len(follower.votes)} votes received",
        kept and bool(follower.votes),
    )


def _across_revisions(viewer: Viewer, follower: Follower, first: str, seconds: float) -> tuple[Row, str]:
    """Makes a new revision; returns the row and the name of the revision."""
    (pod,) = _pods(first)
    second, ready_s = _new_revision()
    before = len(follower.votes)
    answers = [viewer.get(STATUS).has_prometheus for _ in range(NEW_REQUESTS)]
    kept = _stays(pod, first, seconds) and follower.is_open
    received = len(follower.votes) - before
    row = Row(
        "a new revision gets the new requests, and the open stream stays with the old one",
        f"ready after {ready_s:.0f} s, {answers.count(True)} of {NEW_REQUESTS} requests answered by {second};"
        f" in the next {seconds:.0f} s the stream {'received' if kept else 'or its pod ended; it received'} {received} votes"
        f" from {first}",
        kept and received > 0 and answers.count(True) == NEW_REQUESTS,
    )
    return row, second


def _old_ends(resumed: Follower, first: str, second: str) -> Row:
    seconds = kube.wait_until(f"the end of {first}", lambda: not _pods(first), ZERO_WITHIN_S)
    pods = _pods(second)
    return Row(
        "the old revision goes to zero after its last stream ended, and the resumed stream keeps the new one",
        f"after {seconds:.0f} s; pods of {second}: {len(pods)}; the resumed stream is"
        f" {'open' if resumed.is_open else 'closed'}",
        bool(pods) and resumed.is_open,
    )


def _completeness(cast: list[str], follower: Follower, resumed: Follower, missed: int) -> Row:
    """Compares the votes with a receipt with those of both streams."""

    def lost() -> set[str]:
        return set(cast) - set(follower.votes) - set(resumed.votes)

    deadline = time.monotonic() + ANSWER_WITHIN_S
    while lost() and time.monotonic() < deadline:
        time.sleep(1)
    repeated = sum(count - 1 for count in Counter(follower.votes + resumed.votes).values())
    resets = (follower.events + resumed.events).count("reset")
    return Row(
        "over the reconnect, the two streams have every vote once",
        f"{len(cast)} votes cast, {len(follower.votes)} + {len(resumed.votes)} received, {missed} of them cast while no"
        f" stream was open; {len(lost())} lost, {repeated} repeated, {resets} resets",
        bool(cast) and missed > 0 and not lost() and repeated == 0 and resets == 0,
    )


def _split(viewer: Viewer, first: str, second: str) -> Row:
    """Splits the traffic between the two revisions."""
    targets = [{"revisionName": first, "percent": PERCENT}, {"revisionName": second, "percent": 100 - PERCENT}]
    _patch({"traffic": targets})
    # Both start; only answers after this count.
    kube.wait_until("pods of both revisions", lambda: _both_answer(viewer), READY_WITHIN_S, pause_s=PAUSE_S)
    seen = []
    for _ in range(REQUESTS):
        seen.append(viewer.get(STATUS).has_prometheus)
        time.sleep(PAUSE_S)
    answered = len(seen) - seen.count(None)
    share, expected = seen.count(False) / len(seen), PERCENT / 100
    tolerance = DEVIATIONS * math.sqrt(expected * (1 - expected) / len(seen))
    return Row(
        f"a split of {PERCENT} to {100 - PERCENT} between two revisions",
        f"{100 * share:.1f} % of {len(seen)} requests answered by {first}, allowed {PERCENT} ± {100 * tolerance:.1f} %;"
        f" {len(seen) - answered} failed",
        answered == len(seen) and abs(share - expected) <= tolerance,
    )


def _both_answer(viewer: Viewer) -> bool:
    return {viewer.get(STATUS).has_prometheus for _ in range(10)} == {True, False}


def _limits() -> Row:
    """Sends too many requests from one address, and a few from another one."""
    # Traefik's pod, because kube-proxy would replace the address of a client outside of the cluster.
    (pod,) = _get("pods", "--selector=app=traefik", namespace="knative-serving")["items"]
    viewer = Viewer(pod["status"]["podIP"])
    greedy, other = (
        next(address["address"] for address in node["status"]["addresses"] if address["type"] == "InternalIP")
        for node in kube.get("nodes")["items"]
    )

    def refused(count: int, source: str, *, forge: bool = False) -> int:
        forged = [{"X-Forwarded-For": f"192.0.2.{number}"} if forge else {} for number in range(count)]
        answers = [viewer.get("/api/bands", source, headers) for headers in forged]
        return sum(answer.status == http.HTTPStatus.TOO_MANY_REQUESTS for answer in answers)

    first, second, third = refused(BURST, greedy), refused(FEW, other), refused(FEW, greedy, forge=True)
    return Row(
        "behind Traefik, activator and queue-proxy each client has its own rate limit, also with a forged X-Forwarded-For",
        f"refused: {first} of {BURST} requests of one client, {second} of {FEW} of another, {third} of {FEW} of the first"
        " with forged addresses",
        first > 0 and second == 0 and third > 0,
    )


def _read_only(ledger: Ledger) -> list[Row]:
    """Uses the viewer's credentials directly."""
    user, consumer = mongodb.User.of("VIEWER_MONGODB_URI"), mongodb.User.of("MONGODB_URI")
    vote, followed = mongodb.newest(user), mongodb.follows(user, lambda: _vote(ledger))
    refused = mongodb.refused(user)
    writer, nobody = mongodb.refused(consumer, "update")["update"], mongodb.refused(None, "read")["read"]
    executed = [name for name, is_refused in refused.items() if not is_refused]
    return [
        Row(
            "the viewer's user, made by `viewer create-user`, can read and follow the log",
            f"read vote {vote}; its change stream has " + ("the next vote" if followed else "no vote"),
            followed,
        ),
        Row(
            "MongoDB refuses every write of the viewer's user",
            f"refused: {', '.join(name for name in refused if name not in executed) or 'nothing'};"
            f" executed: {', '.join(executed) or 'nothing'}; the update of the user `consumer` is"
            f" {'refused' if writer else 'executed'}, a read without a user is {'refused' if nobody else 'executed'}",
            not executed and not writer and nobody,
        ),
    ]


def _vote(ledger: Ledger) -> None:
    """Sends a vote through the Ingress."""
    _, answer, route = post(kube.cluster_ip("ingress"), "/v1/votes", VOTE, {})
    ledger.add(Load([entry(answer, route)]))


def _new_revision() -> tuple[str, float]:
    """Configures Prometheus, which makes a new revision; returns its name and the seconds until it is ready."""
    old = _service()
    started = time.monotonic()
    template = old["spec"]["template"]
    template["spec"]["containers"][0]["env"].append(
        {"name": "PROMETHEUS_URL", "value": "http://prometheus.dualpath:9090"}
    )
    _patch({"template": template})
    kube.wait_until("the new revision", lambda: _is_ready(2), READY_WITHIN_S)
    return _revision(), time.monotonic() - started


def _get(*arguments: str, namespace: str = NAMESPACE) -> dict:
    return kube.get(*arguments, f"--namespace={namespace}")


def _service() -> dict:
    return _get("services.serving.knative.dev", SERVICE)


def _patch(spec: dict) -> None:
    patch = json.dumps({"spec": spec})
    kube.kubectl(
        "patch", "services.serving.knative.dev", SERVICE, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}"
    )


def _revision() -> str:
    """Returns the newest revision that is ready."""
    return _service()["status"]["latestReadyRevisionName"]


def _is_ready(revisions: int) -> bool:
    """Tells whether the Service is ready, with the newest of this number of revisions."""
    found = _service()
    status, conditions = found.get("status", {}), found.get("status", {}).get("conditions", [])
    created = len(_get("revisions.serving.knative.dev")["items"])
    return (
        created == revisions
        and status.get("observedGeneration") == found["metadata"]["generation"]
        and status.get("latestReadyRevisionName") == status.get("latestCreatedRevisionName")
        and any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    )


def _pods(revision: str | None = None) -> list[str]:
    """Returns the names of the viewer's pods that are not being deleted; those of one revision, or all."""
    selector = f"serving.knative.dev/service={SERVICE}"
    if revision:
        selector += f",serving.knative.dev/revision={revision}"
    found = _get("pods", f"--selector={selector}")["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _stays(pod: str, revision: str, seconds: float) -> bool:
    """Tells whether this pod stays the only one of its revision for this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if _pods(revision) != [pod]:
            return False
        time.sleep(1)
    return True


def _wait_for_zero() -> float:
    return kube.wait_until("zero pods", lambda: not _pods(), ZERO_WITHIN_S, pause_s=0.5)
