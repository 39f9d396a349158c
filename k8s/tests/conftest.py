"""The fixture `overlay`: each overlay, rendered by kustomize."""

import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

K8S = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualpath"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))
# Written by k8s/schemas/fetch.sh.
SCHEMAS = CACHE / "k8s-schemas" / "json"
WORKLOADS = {"Deployment", "StatefulSet", "Job"}


def tool(name: str) -> str:
    """Returns the path of a tool that scripts/setup-dev.sh installed."""
    return str(CACHE / "tools" / "bin" / name)


def errors(text: str) -> list[str]:
    """Returns the errors that kubeconform finds in manifests."""
    command = [
        tool("kubeconform"),
        "-output=json",
        f"-schema-location={SCHEMAS}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
        "-",
    ]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [f"{found['kind']} {found['name']}: {found['msg']}" for found in json.loads(run.stdout)["resources"]]


class Overlay:
    """The objects of an overlay."""

    def __init__(self, name: str) -> None:
        """Renders the overlay."""
        self.name = name
        command = [tool("kustomize"), "build", str(K8S / "overlays" / name)]
        self.text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.objects = [document for document in yaml.load_all(self.text, Loader=loader) if document]

    def of(self, *kinds: str) -> list[dict]:
        """Returns the objects of these kinds."""
        return [found for found in self.objects if found["kind"] in kinds]

    def named(self, kind: str, name: str) -> dict:
        """Returns the object of this kind and name."""
        (found,) = (candidate for candidate in self.of(kind) if candidate["metadata"]["name"] == name)
        return found

    def workloads(self) -> list[dict]:
        """Returns the objects that create pods."""
        return self.of(*WORKLOADS)


def name_of(found: dict) -> str:
    """Returns kind and name, for messages."""
    return f"{found['kind']}/{found['metadata']['name']}"


def pod_of(workload: dict) -> dict:
    """Returns the specification of a workload's pods."""
    return workload["spec"]["template"]["spec"]


def labels_of(workload: dict) -> dict:
    """Returns the labels of a workload's pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def containers_of(workload: dict) -> Iterator[dict]:
    """Yields the containers of a workload, including init containers."""
    pod = pod_of(workload)
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def references(pod: dict) -> set[tuple[str, str]]:
    """Returns kind and name of the ConfigMaps and Secrets that a pod uses."""
    found = set()
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            found.add(("ConfigMap", volume["configMap"]["name"]))
        if "secret" in volume:
            found.add(("Secret", volume["secret"]["secretName"]))
        found |= {("Secret", source["secret"]["name"]) for source in volume.get("projected", {}).get("sources", [])}
    for container in pod["containers"] + pod.get("initContainers", []):
        for source in container.get("envFrom", []):
            found |= {("ConfigMap", source["configMapRef"]["name"])} if "configMapRef" in source else set()
            found |= {("Secret", source["secretRef"]["name"])} if "secretRef" in source else set()
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            found |= {("Secret", reference["name"])} if reference else set()
    return found


def config(overlay: Overlay, prefix: str) -> dict:
    """Returns the data of the generated ConfigMap with this name prefix."""
    (found,) = (
        candidate
        for candidate in overlay.of("ConfigMap")
        if re.fullmatch(rf"{prefix}-[a-z0-9]{{10}}", candidate["metadata"]["name"])
    )
    return found["data"]


def traefik_arguments(overlay: Overlay) -> dict[str, str]:
    """Returns the arguments of Traefik: values by option."""
    (container,) = pod_of(overlay.named("Deployment", "ingress"))["containers"]
    return dict(argument.split("=", 1) for argument in container["args"])


@functools.cache
def rendered(name: str) -> Overlay:
    """Renders an overlay; the result is cached."""
    return Overlay(name)


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Every overlay, one per test run."""
    return rendered(request.param)
