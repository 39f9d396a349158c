"""Calls of kubectl."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

NAMESPACE = "dualpath"
# Output directory of the set-up scripts and of k8s/lab.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"
OVERLAYS = Path(__file__).parents[1] / "overlays"


class ClusterError(Exception):
    """The cluster rejected a request, or did not reach the expected state in time."""


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = 600) -> str:
    """Runs kubectl in the project's namespace and returns its standard output.

    Raises:
        ClusterError: kubectl failed, and `check` is set.
    """
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    run = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
    if check and run.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments[:6])}: {run.stderr.strip()[-800:]}")
    return run.stdout


def get(*arguments: str) -> dict:
    """Returns an object, or a list of objects under `items`."""
    return json.loads(kubectl("get", *arguments, "--output=json"))


def pods(name: str) -> list[dict]:
    """Returns the pods with this `app.kubernetes.io/name` that are not being deleted."""
    found = get("pods", f"--selector=app.kubernetes.io/name={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: dict) -> bool:
    """Tells whether a pod is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def cluster_ip(service: str) -> str:
    """Returns the address of a Service. It is reachable from this machine."""
    return get("service", service)["spec"]["clusterIP"]


def address(service: str) -> str:
    """Returns the address of a Service, or that of the only pod of a headless one."""
    if (ip := cluster_ip(service)) != "None":
        return ip
    (pod,) = pods(service)
    return pod["status"]["podIP"]


def secret(name: str, key: str) -> str:
    """Returns a value of a Secret."""
    return base64.b64decode(get("secret", name)["data"][key]).decode()


def wait_until(what: str, condition: Callable[[], bool], timeout_s: float, pause_s: float = 1) -> float:
    """Waits until the condition holds; returns the elapsed seconds.

    Raises:
        ClusterError: the condition does not hold within the timeout.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            raise ClusterError(f"timeout: waited {timeout_s:.0f} s for {what}")
        time.sleep(pause_s)
    return time.monotonic() - started


def workloads() -> list[str]:
    """Returns every Deployment and StatefulSet as `kind/name`."""
    items = get("deployments,statefulsets")["items"]
    return [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in items]


def all_ready() -> bool:
    """Tells whether every Deployment and StatefulSet has exactly its desired replicas, all updated and ready."""
    for item in get("deployments,statefulsets")["items"]:
        status, desired = item["status"], item["spec"].get("replicas", 1)
        observed = item["status"].get("observedGeneration", 0) >= item["metadata"]["generation"]
        counts = [status.get(field, 0) for field in ("replicas", "readyReplicas", "updatedReplicas")]
        if not observed or counts != [desired] * len(counts):
            return False
    return True


def rollout(workload: str, timeout_s: int = 240) -> float:
    """Restarts a workload by a rolling update; returns the seconds until all pods are replaced."""
    started = time.monotonic()
    kubectl("rollout", "restart", workload)
    kubectl("rollout", "status", workload, f"--timeout={timeout_s}s", timeout_s=timeout_s + 30)
    name = workload.split("/")[1]
    wait_until(
        f"the end of the old pods of {name}",
        lambda: (
            not any(
                "deletionTimestamp" in pod["metadata"]
                for pod in get("pods", f"--selector=app.kubernetes.io/name={name}")["items"]
            )
        ),
        timeout_s=90,
    )
    return time.monotonic() - started
