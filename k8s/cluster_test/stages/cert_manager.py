"""cert-manager makes and renews the certificates: the components `tls-cert-manager` and `tls-cert-manager-stores`."""

import json
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cluster_test import kube, tls
from cluster_test.ledger import Ledger
from cluster_test.report import Row
from cluster_test.stages.common import reconciled
from cluster_test.stages.tls import renewed

K8S = Path(__file__).parents[2]
COMPONENTS = ("tls-cert-manager", "tls-cert-manager-stores")
CA = "dualpath-ca"
ISSUED_WITHIN_S = 120


def cert_manager(ledger: Ledger) -> list[Row]:
    """Installs cert-manager, lets it take over all certificates, and renews them under load."""
    run = subprocess.run([str(K8S / "lab/cert-manager.sh")], stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise kube.ClusterError(f"cert-manager was not installed: {run.stderr.strip()[-800:]}")
    manifests = _render()
    rows = [_refused(manifests), _taken_over(manifests)]
    # All get another CA. The stores, and the clients of the stores, read it only at their start, and need each other.
    kube.kubectl("rollout", "restart", *kube.workloads())
    kube.wait_until("readiness with the new certificates", kube.all_ready, 240)
    tls.forget_ca()
    rows += renewed(ledger, "all certificates renewed by cert-manager", _renew)
    return [*rows, reconciled(ledger)]


def _render() -> str:
    """Returns the manifests of the components."""
    with tempfile.TemporaryDirectory(dir=K8S) as directory:
        paths = [f"../components/{name}" for name in COMPONENTS]
        kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "components": paths}
        Path(directory, "kustomization.yaml").write_text(json.dumps(kustomization))
        command = [str(kube.CACHE / "tools/bin/kustomize"), "build", directory]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _refused(manifests: str) -> Row:
    """Applies a certificate that cert-manager cannot make: shows that its webhook checks the others, too."""
    invalid = manifests.replace("size: 256", "size: 100")
    try:
        kube.kubectl("apply", "--dry-run=server", "--filename=-", stdin=invalid)
    except kube.ClusterError as error:
        answer = str(error)
    else:
        answer = "accepted"
    _, denied, reason = answer.partition('"webhook.cert-manager.io" denied the request: ')
    return Row(
        "cert-manager refuses an invalid certificate", reason.splitlines()[0] if denied else answer, bool(denied)
    )


def _taken_over(manifests: str) -> Row:
    """Applies the components, and waits until cert-manager has made every Secret."""
    kube.kubectl("apply", "--filename=-", stdin=manifests)
    kube.wait_until("the CA of cert-manager", _all_issued, ISSUED_WITHIN_S)
    # It keeps the certificates of Secrets that exist until they are renewed.
    _renew()
    others = _of_another_ca()
    return Row(
        "cert-manager makes every certificate, signed by its own CA",
        f"{len(_certificates())} certificates" + (f"; of another CA: {', '.join(others)}" if others else ""),
        not others,
    )


def _of_another_ca() -> list[str]:
    """Returns the Secrets with certificates that another CA than that of cert-manager has signed."""
    own = kube.secret(CA, "ca.crt")
    names = [item["spec"]["secretName"] for item in _certificates()]
    return [name for name in names if kube.secret(name, "ca.crt") != own]


def _certificates() -> list[dict]:
    return kube.get("certificates.cert-manager.io")["items"]


def _all_issued() -> bool:
    """Tells whether cert-manager has made every certificate, and makes none now."""
    items = _certificates()
    return bool(items) and all(_states(item) == {"Ready": "True"} for item in items)


def _states(certificate: dict) -> dict[str, str]:
    """Returns the conditions of a certificate: `Issuing` exists only while it is made."""
    conditions = certificate.get("status", {}).get("conditions", [])
    return {item["type"]: item["status"] for item in conditions if item["type"] == "Ready" or item["status"] == "True"}


def _renew() -> None:
    """Requests the renewal of every certificate but that of the CA, as `cmctl renew` does."""
    for certificate in _certificates():
        name = certificate["metadata"]["name"]
        if name == CA:
            continue
        issuing = {
            "type": "Issuing",
            "status": "True",
            "reason": "ManuallyTriggered",
            "message": "renewed by the cluster test",
            "lastTransitionTime": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        conditions = [*certificate["status"]["conditions"], issuing]
        patch = json.dumps({"status": {"conditions": conditions}})
        kube.kubectl("patch", "certificate", name, "--subresource=status", "--type=merge", f"--patch={patch}")
    kube.wait_until("renewed certificates", _all_issued, ISSUED_WITHIN_S)
