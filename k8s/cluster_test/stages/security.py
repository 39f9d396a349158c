"""Permissions of the running pods, and the places of their secrets."""

import base64
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.report import Row

IMAGES = kube.CACHE / "k8s-images" / "project.tar"


def admission(warnings: str) -> Row:
    """Checks that the API server admitted every pod without a Pod Security warning.

    Args:
        warnings: the standard error of `kubectl apply`.
    """
    (enforced,) = (
        item["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for item in kube.get("namespaces")["items"]
        if item["metadata"]["name"] == kube.NAMESPACE
    )
    pods = kube.get("pods")["items"]
    containers = sum(len(pod["spec"]["containers"]) for pod in pods)
    rejected = [event for event in kube.get("events")["items"] if "PodSecurity" in event.get("message", "")]
    warned = warnings.count("PodSecurity")
    return Row(
        "the namespace enforces the restricted Pod Security Standard",
        f"{enforced}: {len(pods)} pods admitted, {containers} containers, {len(rejected)} rejected, {warned} warned",
        enforced == "restricted" and not rejected and not warned,
    )


def security(_: Ledger) -> list[Row]:
    """Checks users, secrets and network policies."""
    pods = kube.get("pods")["items"]
    policies = kube.get("networkpolicies")["items"]
    return [
        Row("no container runs as root", *_users(pods)),
        Row("no password and no key is in a ConfigMap or an image", *_secrets()),
        Row(
            "network policies are accepted (this cluster does not enforce them)",
            f"{len(policies)} policies",
            bool(policies),
        ),
    ]


def _users(pods: list[dict]) -> tuple[str, bool]:
    """Compares the user ids of the pod specifications with those of the running processes; none may be root."""
    users = set()
    for pod in pods:
        context = pod["spec"]["securityContext"]
        for container in pod["spec"]["containers"]:
            users.add(container.get("securityContext", {}).get("runAsUser") or context.get("runAsUser"))
    actual = _users_of_processes()
    measured = f"users of the pods: {sorted(users)}; of their processes: {sorted(actual)}"
    return measured, 0 not in actual and 0 not in users


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


def _secrets() -> tuple[str, bool]:
    """Searches all ConfigMaps and images for every password."""
    passwords = set(_passwords())
    maps = kube.get("configmaps")["items"]
    found = [f"{item['metadata']['name']}" for item in maps if any(password in str(item) for password in passwords)]
    # `docker save` does not compress layers, so a byte search finds text in them.
    with IMAGES.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as archive:
        found += [IMAGES.name for password in passwords if archive.find(password.encode()) >= 0]
    measured = (
        f"{len(passwords)} passwords and keys, {len(maps)} ConfigMaps, {IMAGES.stat().st_size >> 20} MiB of images: "
    )
    return measured + (f"found in {', '.join(found)}" if found else "found nowhere"), bool(passwords) and not found


def _passwords() -> Iterator[str]:
    """Yields all keys and passwords of the Secrets."""
    for secret in kube.get("secrets")["items"]:
        for name, value in secret.get("data", {}).items():
            text = base64.b64decode(value).decode()
            # The second line of a key: the first bytes of all keys of a kind are equal.
            yield from re.findall(r"PRIVATE KEY-----\n.*\n(.+)\n", text)
            if name == "password":
                yield text
