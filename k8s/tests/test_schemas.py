"""Every object has the shape that the release of its kind asks for, and no field that it does not know."""

import json
import subprocess

from conftest import CACHE, K8S, Overlay, tool

# Written by k8s/schemas/fetch.sh.
SCHEMAS = CACHE / "k8s-schemas" / "json"


def errors(text: str) -> list[str]:
    """What kubeconform finds wrong with manifests."""
    command = [
        tool("kubeconform"),
        "-output=json",
        f"-schema-location={SCHEMAS}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json",
        "-",
    ]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [f"{found['kind']} {found['name']}: {found['msg']}" for found in json.loads(run.stdout)["resources"]]


def test_every_object_fits_its_schema(overlay: Overlay) -> None:
    assert errors(overlay.text) == []


def test_the_viewers_manifest_for_cloud_run_fits_knatives_schema() -> None:
    text = (K8S.parent / "viewer" / "cloudrun.yaml").read_text()
    assert errors(text) == []
    (error,) = errors(text.replace("containerConcurrency", "concurrency"))
    assert "concurrency" in error


def test_what_does_not_fit_is_found() -> None:
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {}, template: {}, replica: 2}\n"
    )
    (error,) = errors(deployment)
    assert "replica" in error
    (error,) = errors("apiVersion: example.org/v1\nkind: Unknown\nmetadata: {name: x}\n")
    assert "could not find schema" in error
