"""Everything is applied at once, and becomes ready by itself."""

import subprocess
import time

from cluster_test import kube
from cluster_test.books import Books
from cluster_test.report import Row
from cluster_test.stages.security import admission

READY_WITHIN_S = 180


def deploy(books: Books) -> list[Row]:
    """The lab overlay from nothing to ready."""
    if kube.NAMESPACE in kube.kubectl("get", "namespaces", "--output=name"):
        raise kube.ClusterError("it is deployed already: name the other stages, or begin with a new cluster")
    # Large ones do not fit into the annotation of a client-side apply.
    kube.kubectl("apply", "--server-side", f"--filename={kube.CACHE}/k8s-schemas/crds")
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
    return [
        Row(
            f"`kubectl apply -k k8s/overlays/lab`: all ready within {READY_WITHIN_S} s of a loaded image set",
            f"{len(pods)} pods, ready after {seconds:.0f} s",
            seconds <= READY_WITHIN_S,
        ),
        admission(run.stderr),
    ]


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
