"""kubectl, as far as the stages need it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

NAMESPACE = "dualpath"
# What the set-up scripts and k8s/lab have made.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"
OVERLAYS = Path(__file__).parents[1] / "overlays"


class ClusterError(Exception):
    """The cluster did not do what it was told."""


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = 600) -> str:
    """Runs kubectl in the namespace of the votes and returns what it printed.

    Raises:
        ClusterError: it failed, and `check` is set.
    """
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    run = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
    if check and run.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments[:6])}: {run.stderr.strip()[-800:]}")
    return run.stdout


def get(*arguments: str) -> dict:
    """An object, or a list of objects under `items`."""
    return json.loads(kubectl("get", *arguments, "--output=json"))


def pods(name: str) -> list[dict]:
    """The pods of this `app.kubernetes.io/name` that are not about to end."""
    found = get("pods", f"--selector=app.kubernetes.io/name={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: dict) -> bool:
    """Whether a pod says that it is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def cluster_ip(service: str) -> str:
    """The address of a Service; this machine reaches it like any pod."""
    return get("service", service)["spec"]["clusterIP"]


def until(what: str, condition: Callable[[], bool], timeout_s: float, pause_s: float = 1) -> float:
    """Waits until the condition holds; returns the seconds that it took.

    Raises:
        ClusterError: it did not within the time.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            raise ClusterError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(pause_s)
    return time.monotonic() - started


def workloads() -> list[str]:
    """Every Deployment and StatefulSet, as `kind/name`."""
    items = get("deployments,statefulsets")["items"]
    return [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in items]


def all_ready() -> bool:
    """Whether every Deployment and StatefulSet has its replicas, new and ready, and none besides."""
    for item in get("deployments,statefulsets")["items"]:
        status, wanted = item["status"], item["spec"].get("replicas", 1)
        seen = item["status"].get("observedGeneration", 0) >= item["metadata"]["generation"]
        counts = [status.get(field, 0) for field in ("replicas", "readyReplicas", "updatedReplicas")]
        if not seen or counts != [wanted] * len(counts):
            return False
    return True


def rollout(workload: str, timeout_s: int = 240) -> float:
    """Makes all pods of a workload anew, a few at a time; returns the seconds until all are and the old are gone."""
    started = time.monotonic()
    kubectl("rollout", "restart", workload)
    kubectl("rollout", "status", workload, f"--timeout={timeout_s}s", timeout_s=timeout_s + 30)
    name = workload.split("/")[1]
    until(
        f"the old pods of {name}",
        lambda: (
            not any(
                "deletionTimestamp" in pod["metadata"]
                for pod in get("pods", f"--selector=app.kubernetes.io/name={name}")["items"]
            )
        ),
        timeout_s=90,
    )
    return time.monotonic() - started
