"""The stages of the test, in the order in which they run.

Each stage is a function. Its arguments are the ledger and the options of the stage. It returns rows of the report.
"""

from collections.abc import Callable

from cluster_test.report import Row
from cluster_test.stages import (
    autoscaling,
    cert_manager,
    deletions,
    deploy,
    drain,
    knative,
    observers,
    rollouts,
    routes,
    security,
    split,
    tls,
)

STAGES: dict[str, Callable[..., list[Row]]] = {
    "deploy": deploy.deploy,
    "security": security.security,
    "dry-run": deploy.dry_run,
    "routes": routes.routes,
    "observers": observers.observers,
    "tls": tls.encryption,
    "canary": split.canary,
    "gateway": split.gateway,
    "autoscaling": autoscaling.by_cpu,
    "lag": autoscaling.by_lag,
    "rollouts": rollouts.rollouts,
    "ingress-rollouts": rollouts.of_the_ingress,
    "deletions": deletions.services,
    "stores": deletions.stores,
    "drain": drain.drain,
    # It replaces the CA of the deployment.
    "cert-manager": cert_manager.cert_manager,
    # Last, because Serving's pods would prolong the drain.
    "knative": knative.knative,
}
