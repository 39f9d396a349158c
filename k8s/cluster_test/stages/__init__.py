"""What is shown, in the order in which it runs. A stage gets the books and returns rows."""

from collections.abc import Callable

from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages import autoscaling, deletions, deploy, drain, rollouts, routes, split

STAGES: dict[str, Callable[[Books], list[Row]]] = {
    "deploy": deploy.deploy,
    "dry-run": deploy.dry_run,
    "routes": routes.routes,
    "canary": split.canary,
    "gateway": split.gateway,
    "autoscaling": autoscaling.autoscaling,
    "rollouts": rollouts.rollouts,
    "deletions": deletions.services,
    "stores": deletions.stores,
    "drain": drain.drain,
}
