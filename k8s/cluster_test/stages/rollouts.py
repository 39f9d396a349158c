"""Rolling updates of every service and the Ingress under load."""

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.common import describe_by_protocol, none_failed, reconciled, under_load

WORKLOADS = ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress")
# The load ends after this time per update, even if the updates have not.
LONGEST_S = 150


def rollouts(ledger: Ledger) -> list[Row]:
    """Runs `kubectl rollout restart` for one workload after the other. No vote fails."""
    with under_load(ledger) as actions:
        for name in WORKLOADS:
            actions.run(f"rolling update of {name}", lambda name=name: kube.rollout(f"deployment/{name}"))
    return [*actions.rows(none_failed), reconciled(ledger)]


def of_the_ingress(ledger: Ledger, repeat: int) -> list[Row]:
    """Runs `kubectl rollout restart` for the Ingress again and again. No vote fails."""
    with under_load(ledger, seconds=repeat * LONGEST_S) as actions:
        for _ in range(repeat):
            actions.run("rolling update of ingress", lambda: kube.rollout("deployment/ingress"))
    windows = actions.windows
    part = actions.sent.between(windows[0].begin, windows[-1].end)
    measured = (
        f"{part.sent} votes in {windows[-1].end - windows[0].begin:.0f} s; {describe_by_protocol(part)};"
        f" a rolling update took {min(window.seconds for window in windows):.0f}"
        f" to {max(window.seconds for window in windows):.0f} s"
    )
    row = Row(f"{repeat} rolling updates of ingress in a row", measured, part.sent > 0 and not part.failed())
    return [row, reconciled(ledger)]
