"""Each overlay as kustomize renders it, for every test that asks for `overlay`."""

import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

K8S = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))
WORKLOADS = {"Deployment", "StatefulSet", "Job"}


def tool(name: str) -> str:
    """The path of a tool that scripts/setup-dev.sh has installed."""
    return str(CACHE / "tools" / "bin" / name)


class Overlay:
    """The objects of an overlay."""

    def __init__(self, name: str) -> None:
        """Renders it."""
        self.name = name
        command = [tool("kustomize"), "build", str(K8S / "overlays" / name)]
        self.text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.objects = [document for document in yaml.load_all(self.text, Loader=loader) if document]

    def of(self, *kinds: str) -> list[dict]:
        """The objects of these kinds."""
        return [found for found in self.objects if found["kind"] in kinds]

    def named(self, kind: str, name: str) -> dict:
        """The one object of this kind and name."""
        (found,) = (candidate for candidate in self.of(kind) if candidate["metadata"]["name"] == name)
        return found

    def workloads(self) -> list[dict]:
        """Whatever makes pods."""
        return self.of(*WORKLOADS)


def name_of(found: dict) -> str:
    """Kind and name, for messages."""
    return f"{found['kind']}/{found['metadata']['name']}"


def pod_of(workload: dict) -> dict:
    """The specification of a workload's pods."""
    return workload["spec"]["template"]["spec"]


def labels_of(workload: dict) -> dict:
    """The labels of a workload's pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def containers_of(workload: dict) -> Iterator[dict]:
    """Its containers, those that run first included."""
    pod = pod_of(workload)
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


@functools.cache
def rendered(name: str) -> Overlay:
    """An overlay, rendered once."""
    return Overlay(name)


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Each overlay in turn."""
    return rendered(request.param)
