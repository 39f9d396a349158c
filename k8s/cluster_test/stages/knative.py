"""The viewer on Knative Serving, which has the API of Cloud Run: `viewer/cloudrun.yaml` with a read-only user."""

import http
import math
import statistics
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, closing

from cluster_test import knative_service as service
from cluster_test import kube, mongodb
from cluster_test.follower import Follower
from cluster_test.knative_service import READY_WITHIN_S, ZERO_WITHIN_S, Viewer
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.report import Row
from cluster_test.stages.common import reconciled
from cluster_test.stages.routes import VOTE, entry, post
from cluster_test.stages.split import DEVIATIONS
from cluster_test.voter import Voter

# The user of the viewer on Knative, and the network policy that lets it reach MongoDB.
USER, POLICY = "cloud-run", service.LAB / "knative/mongodb-policy.yaml"
# A page of the log: its answer needs MongoDB. The state of the stores: it differs between the revisions.
LOGS, STATUS = "/api/logs?limit=1", "/api/status"
COLD_STARTS, ANSWER_WITHIN_S = 10, 15
# After this time, Knative's activator sends no request to a pod that is being deleted.
FORGOTTEN_S = 3
# The share of the first revision in the split, and the requests. The viewer allows a client 20 requests a second.
PERCENT, REQUESTS, PAUSE_S = 70, 600, 0.06
# Requests without a pause: more than the viewer allows a client, and far less.
BURST, FEW = 400, 20
# Seconds without an open stream, before the client reconnects.
GAP_S = 3
# An open stream is watched for this multiple of the time in which pods without one end, and at least for these seconds.
WATCHED, WATCHED_S = 3, 30


def knative(ledger: Ledger) -> list[Row]:
    """The viewer on Knative: scaling from and to zero, a stream across revisions, a split, a read-only user."""
    run = subprocess.run([str(service.LAB / "knative.sh")], stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise kube.ClusterError(f"Knative was not installed: {run.stderr.strip()[-800:]}")
    kube.kubectl("apply", f"--filename={POLICY}")
    user = mongodb.create_reader(USER)
    try:
        return _measure(ledger, user)
    finally:
        service.delete()
        kube.kubectl("delete", f"--filename={POLICY}", "--ignore-not-found")


def _measure(ledger: Ledger, user: mongodb.User) -> list[Row]:
    service.create_secrets(user)
    rows = [_deploy()]
    viewer = Viewer(service.get("service", "traefik", namespace="knative-serving")["spec"]["clusterIP"])
    first = service.revision()
    _vote(ledger)
    cold_starts, to_zero_s = _cold_starts(viewer)
    rows += [*cold_starts, *_stream(viewer, ledger, first, max(WATCHED_S, WATCHED * to_zero_s))]
    rows += [_split(viewer, first, service.revision()), _limits(), *_read_only(ledger, user)]
    return [*rows, reconciled(ledger)]


def _deploy() -> Row:
    started = time.monotonic()
    service.deploy()
    seconds = time.monotonic() - started
    labels = service.get("namespace", service.NAMESPACE)["metadata"]["labels"]
    enforced = labels["pod-security.kubernetes.io/enforce"]
    return Row(
        f"`viewer/cloudrun.yaml` is ready on Knative Serving within {READY_WITHIN_S} s, with restricted pods",
        f"revision {service.revision()} after {seconds:.0f} s; Pod Security Standard: {enforced}",
        enforced == "restricted",
    )


def _cold_starts(viewer: Viewer) -> tuple[list[Row], float]:
    """Sends the first request to zero pods, again and again; returns rows, and the longest time back to zero."""
    service.wait_for_zero()
    autoscaler = service.get("configmap", "config-autoscaler", namespace="knative-serving")["data"]
    answers, warm_s, to_zero_s, started = [], [], [], set()
    for _ in range(COLD_STARTS):
        time.sleep(FORGOTTEN_S)
        answers.append(viewer.get(LOGS))
        started.update(service.pods())
        warm_s.append(viewer.get(LOGS).seconds)
        to_zero_s.append(service.wait_for_zero())
    seconds = [answer.seconds for answer in answers]
    correct = sum(answer.ok and bool(answer.body["votes"]) for answer in answers)
    cold = Row(
        f"scale from zero: the first request gets a vote of the log within {ANSWER_WITHIN_S} s",
        f"{correct} of {COLD_STARTS}, from {len(started)} new pods; p50 {statistics.median(seconds):.2f} s,"
        f" max {max(seconds):.2f} s; the next request: p50 {1000 * statistics.median(warm_s):.0f} ms",
        correct == COLD_STARTS and len(started) == COLD_STARTS and max(seconds) <= ANSWER_WITHIN_S,
    )
    back = Row(
        f"back to zero within {ZERO_WITHIN_S} s of the last answer (stable window {autoscaler['stable-window']})",
        f"{min(to_zero_s):.0f} to {max(to_zero_s):.0f} s, {COLD_STARTS} times",
        max(to_zero_s) <= ZERO_WITHIN_S,
    )
    return [cold, back], max(to_zero_s)


def _stream(viewer: Viewer, ledger: Ledger, first: str, watched_s: float) -> list[Row]:
    """Follows the log alone, while a new revision starts, after a reconnect, and after the pod was deleted."""
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(viewer.follow()))]
        voter = stack.enter_context(closing(Voter(ledger)))
        pod = service.only_pod(first)
        rows = [
            _alone(streams[0], pod, first, watched_s),
            _new_revision(viewer, streams[0], pod, first, watched_s),
        ]
        before, ended = len(voter.acknowledged), time.monotonic()
        streams[0].close()
        time.sleep(GAP_S)
        missed = len(voter.acknowledged) - before
        streams.append(stack.enter_context(closing(viewer.follow(streams[0].last_event_id))))
        kube.wait_until(f"the end of {first}", lambda: not service.pods(first), ZERO_WITHIN_S)
        rows.append(_resumed(streams[1], time.monotonic() - ended, watched_s))
        rows.append(_deleted(streams[1]))
        streams.append(stack.enter_context(closing(viewer.follow(streams[1].last_event_id))))
        time.sleep(GAP_S)
        voter.stop()
        return [*rows, _completeness(voter.acknowledged, streams, missed)]


def _alone(follower: Follower, pod: str, first: str, watched_s: float) -> Row:
    kept = service.stays(pod, first, watched_s) and follower.is_open
    return Row(
        f"an open stream keeps its pod, also {watched_s:.0f} s after the last other request",
        f"{'the same pod all the time' if kept else 'the pod or the stream ended'},"
        f" {len(follower.votes)} votes received",
        kept and bool(follower.votes),
    )


def _new_revision(viewer: Viewer, follower: Follower, pod: str, first: str, watched_s: float) -> Row:
    started = time.monotonic()
    service.add_prometheus()
    ready_s, before = time.monotonic() - started, len(follower.votes)
    answers = [viewer.get(STATUS).has_prometheus for _ in range(FEW)]
    kept = service.stays(pod, first, watched_s) and follower.is_open
    received = len(follower.votes) - before
    return Row(
        "a new revision gets the new requests, and the open stream stays with the old one",
        f"ready after {ready_s:.0f} s, {answers.count(True)} of {FEW} requests answered by {service.revision()};"
        f" the stream {'stayed with' if kept else 'ended with'} the pod of {first}, {received} votes received in the"
        f" next {watched_s:.0f} s",
        kept and received > 0 and answers.count(True) == FEW,
    )


def _resumed(resumed: Follower, to_zero_s: float, watched_s: float) -> Row:
    second = service.revision()
    kept = service.stays(service.only_pod(second), second, watched_s) and resumed.is_open
    return Row(
        "the old revision goes to zero after its last stream ended; a stream that resumes keeps the new one",
        f"after {to_zero_s:.0f} s; in the next {watched_s:.0f} s the pod of {second} and the stream"
        f" {'stayed' if kept else 'ended'}, {len(resumed.votes)} votes received",
        kept and bool(resumed.votes),
    )


def _deleted(follower: Follower) -> Row:
    """Deletes the pod of an open stream, and waits until the stream ends."""
    service.delete_pod(service.only_pod(service.revision()))
    before = len(follower.votes)
    seconds = kube.wait_until("the end of the stream", lambda: not follower.is_open, ZERO_WITHIN_S, pause_s=0.1)
    received = len(follower.votes) - before
    return Row(
        "a deleted pod serves its stream until Knative has drained it",
        f"{received} votes received in {seconds:.0f} s, then the stream ended",
        received > 0,
    )


def _completeness(cast: list[str], streams: list[Follower], missed: int) -> Row:
    """Compares the votes with a receipt with those of all streams."""

    def received() -> list[str]:
        return [vote for stream in streams for vote in stream.votes]

    def lost() -> set[str]:
        return set(cast) - set(received())

    deadline = time.monotonic() + ANSWER_WITHIN_S
    while lost() and time.monotonic() < deadline:
        time.sleep(1)
    repeated = sum(count - 1 for count in Counter(received()).values())
    resets = sum(stream.events.count("reset") for stream in streams)
    return Row(
        f"over the two reconnects, the {len(streams)} streams have every vote once",
        f"{len(cast)} votes cast, {' + '.join(str(len(stream.votes)) for stream in streams)} received, {missed} of them"
        f" cast while no stream was open; {len(lost())} lost, {repeated} repeated, {resets} resets",
        missed > 0 and all(stream.votes for stream in streams) and not lost() and repeated == 0 and resets == 0,
    )


def _split(viewer: Viewer, first: str, second: str) -> Row:
    """Splits the traffic between the two revisions."""
    targets = [{"revisionName": first, "percent": PERCENT}, {"revisionName": second, "percent": 100 - PERCENT}]
    service.patch({"traffic": targets})

    def both_answer() -> bool:
        return {viewer.get(STATUS).has_prometheus for _ in range(FEW)} == {True, False}

    kube.wait_until("answers of both revisions", both_answer, READY_WITHIN_S)
    seen = []
    for _ in range(REQUESTS):
        seen.append(viewer.get(STATUS).has_prometheus)
        time.sleep(PAUSE_S)
    share, expected = seen.count(False) / REQUESTS, PERCENT / 100
    tolerance = DEVIATIONS * math.sqrt(expected * (1 - expected) / REQUESTS)
    return Row(
        f"a split of {PERCENT} to {100 - PERCENT} between two revisions",
        f"{100 * share:.1f} % of {REQUESTS} requests answered by {first}, allowed {PERCENT} ± {100 * tolerance:.1f} %;"
        f" {seen.count(None)} failed",
        seen.count(None) == 0 and abs(share - expected) <= tolerance,
    )


def _limits() -> Row:
    """Sends too many requests from one address, and a few from another one."""
    # To Traefik's pod, because kube-proxy would replace the address of a client outside of the cluster.
    (traefik,) = service.get("pods", "--selector=app=traefik", namespace="knative-serving")["items"]
    viewer = Viewer(traefik["status"]["podIP"])
    greedy, other = (
        next(address["address"] for address in node["status"]["addresses"] if address["type"] == "InternalIP")
        for node in kube.get("nodes")["items"]
    )

    def refused(count: int, source: str, *, forge: bool = False) -> int:
        headers = [{"X-Forwarded-For": f"192.0.2.{number}"} if forge else {} for number in range(count)]
        answers = [viewer.get("/api/bands", source, each) for each in headers]
        return sum(answer.status == http.HTTPStatus.TOO_MANY_REQUESTS for answer in answers)

    first, second, forged = refused(BURST, greedy), refused(FEW, other), refused(FEW, greedy, forge=True)
    return Row(
        "the viewer's rate limit is per client, and a forged X-Forwarded-For does not evade it",
        f"refused: {first} of {BURST} requests of a client, {second} of {FEW} of another one, {forged} of {FEW} of the"
        " first one with forged addresses",
        first > 0 and second == 0 and forged > 0,
    )


def _read_only(ledger: Ledger, user: mongodb.User) -> list[Row]:
    """Uses the viewer's credentials directly."""
    vote, followed = mongodb.newest(user), mongodb.follows(user, lambda: _vote(ledger))
    refused = mongodb.refused(user, *mongodb.WRITES)
    executed = [name for name, is_refused in refused.items() if not is_refused]
    writer = mongodb.refused(mongodb.User.of("consumer"), "update")["update"]
    return [
        Row(
            f"the user `{USER}`, made by `viewer create-user`, can read and follow the log",
            f"read vote {vote}; its change stream has {'the' if followed else 'not the'} next vote",
            followed,
        ),
        Row(
            f"MongoDB refuses every write of the user `{USER}`",
            f"refused: {', '.join(name for name in refused if name not in executed) or 'nothing'};"
            f" executed: {', '.join(executed) or 'nothing'}; the update of the user `consumer` is"
            f" {'refused' if writer else 'executed'}",
            not executed and not writer,
        ),
    ]


def _vote(ledger: Ledger) -> None:
    """Sends a vote through the Ingress."""
    _, answer, route = post(kube.cluster_ip("ingress"), "/v1/votes", VOTE, {})
    ledger.add(Load([entry(answer, route)]))
