"""The Secrets that the lab overlay needs and does not contain."""

import subprocess
from pathlib import Path

from cluster_test import kube

K8S = Path(__file__).parents[1]


def create(directory: Path) -> None:
    """Creates the namespace and all Secrets, with the CA in a directory below this one."""
    kube.kubectl("apply", f"--filename={K8S / 'base/namespace.yaml'}")
    _apply(K8S / "lab/secrets.sh", directory)


def renew_certificates(directory: Path) -> None:
    """Replaces keys and certificates, signed by the same CA."""
    _apply(K8S / "components/tls/make-secrets.sh", directory)


def _apply(script: Path, directory: Path) -> None:
    run = subprocess.run([str(script), str(directory / "ca")], check=True, capture_output=True, text=True)
    kube.kubectl("apply", "--filename=-", stdin=run.stdout)
