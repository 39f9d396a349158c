"""Everything is applied at once, and becomes ready by itself."""

import os
import subprocess
import time
from pathlib import Path

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row

READY_WITHIN_S = 180
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"


def deploy(books: Books) -> list[Row]:
    """The lab overlay from nothing to ready."""
    if kube.NAMESPACE in kube.kubectl("get", "namespaces", "--output=name"):
        raise kube.ClusterError("it is deployed already: name the other stages, or begin with a new cluster")
    # Large ones do not fit into the annotation of a client-side apply.
    kube.kubectl("apply", "--server-side", f"--filename={CACHE}/k8s-schemas/crds")
    kube.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    books.begin()
    started = time.monotonic()
    run = subprocess.run(
        ["kubectl", "apply", "--kustomize", str(kube.OVERLAYS / "lab")], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise kube.ClusterError(run.stderr.strip()[-2000:])
    kube.until("everything ready", kube.all_ready, 2 * READY_WITHIN_S, pause_s=2)
    seconds = time.monotonic() - started
    pods = kube.get("pods")["items"]
    containers = sum(len(pod["spec"]["containers"]) for pod in pods)
    warnings = [line for line in run.stderr.splitlines() if "PodSecurity" in line]
    refused = [event for event in kube.get("events")["items"] if "PodSecurity" in event.get("message", "")]
    return [
        Row(
            f"`kubectl apply -k k8s/overlays/lab`: all ready within {READY_WITHIN_S} s of a loaded image set",
            f"{len(pods)} pods, ready after {seconds:.0f} s",
            seconds <= READY_WITHIN_S,
        ),
        Row(
            "the namespace enforces the restricted Pod Security Standard",
            f"{len(pods)} pods admitted with {containers} containers, {len(refused)} refused, {len(warnings)} warnings",
            not refused and not warnings,
        ),
        Row("no container runs as root", *_users(pods)),
    ]


def _users(pods: list[dict]) -> tuple[str, bool]:
    """The users of the processes, as the kernel sees them."""
    users = set()
    for pod in pods:
        context = pod["spec"]["securityContext"]
        for container in pod["spec"]["containers"]:
            users.add(container.get("securityContext", {}).get("runAsUser") or context.get("runAsUser"))
    real = _users_of_processes()
    return f"users of the pods: {sorted(users)}; of their processes: {sorted(real)}", 0 not in real and 0 not in users


def _users_of_processes() -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if "/kubepods/" in (status.parent / "cgroup").read_text():
                uid = next(line for line in status.read_text().splitlines() if line.startswith("Uid:"))
                found.add(int(uid.split()[1]))
        except OSError:
            continue
    return found


def dry_run(_: Books) -> list[Row]:
    """An API server that has all kinds accepts every overlay."""
    # The job of the overlay that runs is gone by itself, and would be the one object that cannot be changed.
    kube.until("the end of the job", lambda: "prepare-stores" not in kube.kubectl("get", "jobs", "-o", "name"), 300)
    rows = []
    for overlay in sorted(path.name for path in kube.OVERLAYS.iterdir()):
        run = subprocess.run(
            ["kubectl", "apply", "--dry-run=server", "--kustomize", str(kube.OVERLAYS / overlay)],
            capture_output=True,
            text=True,
            check=False,
        )
        accepted = [line for line in run.stdout.splitlines() if line.endswith("(server dry run)")]
        wrong = [line for line in run.stderr.splitlines() if "last-applied-configuration" not in line]
        measured = f"{len(accepted)} objects accepted" + (f"; {' '.join(wrong)[:600]}" if wrong else "")
        rows.append(Row(f"server-side dry run of overlays/{overlay}", measured, run.returncode == 0))
    return rows
