"""Deployment of the lab overlay, and server-side dry runs of all overlays."""

import subprocess
import time

from cluster_test import kube, secrets
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.security import admission

READY_WITHIN_S = 180


def deploy(ledger: Ledger) -> list[Row]:
    """Applies the lab overlay to an empty cluster and waits until it is ready."""
    if kube.NAMESPACE in kube.kubectl("get", "namespaces", "--output=name"):
        raise kube.ClusterError("already deployed: run the other stages by name, or start a new cluster")
    # A client-side apply would fail: large CRDs do not fit into its last-applied-configuration annotation.
    kube.kubectl("apply", "--server-side", f"--filename={kube.CACHE}/k8s-schemas/crds")
    kube.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    ledger.reset()
    secrets.create(ledger.directory)
    started = time.monotonic()
    run = subprocess.run(
        ["kubectl", "apply", "--kustomize", str(kube.OVERLAYS / "lab")], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise kube.ClusterError(run.stderr.strip()[-2000:])
    kube.wait_until("readiness of all workloads", kube.all_ready, 2 * READY_WITHIN_S, pause_s=2)
    seconds = time.monotonic() - started
    pods = kube.get("pods")["items"]
    return [
        Row(
            f"`kubectl apply -k k8s/overlays/lab`: all ready within {READY_WITHIN_S} s, with images loaded before",
            f"{len(pods)} pods, ready after {seconds:.0f} s",
            seconds <= READY_WITHIN_S,
        ),
        admission(run.stderr),
    ]


def dry_run(_: Ledger) -> list[Row]:
    """Applies every overlay as a server-side dry run. The API server has the CRDs of all kinds."""
    # A Job is immutable, so wait until the finished one of the running overlay has been removed.
    kube.wait_until(
        "the removal of the job prepare-stores",
        lambda: "prepare-stores" not in kube.kubectl("get", "jobs", "-o", "name"),
        300,
    )
    rows = []
    for overlay in sorted(path.name for path in kube.OVERLAYS.iterdir()):
        run = subprocess.run(
            ["kubectl", "apply", "--dry-run=server", "--kustomize", str(kube.OVERLAYS / overlay)],
            capture_output=True,
            text=True,
            check=False,
        )
        accepted = [line for line in run.stdout.splitlines() if line.endswith("(server dry run)")]
        errors = [line for line in run.stderr.splitlines() if "last-applied-configuration" not in line]
        measured = f"{len(accepted)} objects accepted" + (f"; {' '.join(errors)[:600]}" if errors else "")
        rows.append(Row(f"server-side dry run of overlays/{overlay}", measured, run.returncode == 0))
    return rows
