"""The viewer on Knative: its manifests, and the users of MongoDB."""

import re
import subprocess
from urllib.parse import urlsplit

import pytest
import yaml

from conftest import K8S, containers_of, errors, pod_of, rendered, tool

LAB = K8S / "lab"
CLOUD_RUN = K8S.parent / "viewer/cloudrun.yaml"
# What the lab replaces in cloudrun.yaml.
REPLACED = {"serviceAccountName", "image", "requests", "TRUSTED_PROXIES"}


def build(folder: str) -> list[dict]:
    """Renders a kustomization of k8s/lab."""
    command = [tool("kustomize"), "build", str(LAB / folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def one(objects: list[dict], kind: str, name: str) -> dict:
    (found,) = (found for found in objects if (found["kind"], found["metadata"]["name"]) == (kind, name))
    return found


def leaves(value: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Returns the values of nested objects and lists by their path; the name of a list's item is part of the path."""
    if isinstance(value, dict):
        return {key: leaf for name, inner in value.items() for key, leaf in leaves(inner, (*path, name)).items()}
    if isinstance(value, list):
        items = [(item.get("name", str(index)), item) for index, item in enumerate(value)]
        return {key: leaf for name, inner in items for key, leaf in leaves(inner, (*path, name)).items()}
    return {path: value}


@pytest.mark.parametrize("folder", ["knative/viewer", "mongodb-users"])
def test_manifests_of_the_stage_are_valid_by_their_schemas(folder: str) -> None:
    assert errors(yaml.safe_dump_all(build(folder))) == []


def test_ingress_of_knative_is_valid_by_its_schemas_and_restricted() -> None:
    text = (LAB / "knative/serving/traefik.yaml").read_text()
    assert errors(text) == []
    deployment = one(list(yaml.safe_load_all(text)), "Deployment", "traefik")
    assert pod_of(deployment)["securityContext"]["runAsNonRoot"] is True
    (container,) = containers_of(deployment)
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_knative_runs_the_traefik_of_the_lab() -> None:
    lab, knative = (
        yaml.safe_load((K8S / folder / "kustomization.yaml").read_text())["images"]
        for folder in ("overlays/lab", "lab/knative/serving")
    )
    assert [image for image in lab if image["name"] == "traefik"] == knative


def test_knative_runs_cloudrun_yaml_except_what_only_cloud_run_has() -> None:
    committed = yaml.safe_load(CLOUD_RUN.read_text())
    service = one(build("knative/viewer"), "Service", "dualpath-viewer")
    assert service["metadata"].pop("namespace") == "cloud-run"
    before, after = leaves(committed), leaves(service)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {next(name for name in path if name in REPLACED) for path in changed} == REPLACED


def test_cloudrun_yaml_names_the_port_of_its_probes() -> None:
    (container,) = yaml.safe_load(CLOUD_RUN.read_text())["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["containerPort"], probe


def test_knative_allows_the_longest_request_of_cloudrun_yaml() -> None:
    maps = {
        found["metadata"]["name"]: found["data"]
        for found in yaml.safe_load_all((LAB / "knative/serving/config.yaml").read_text())
    }
    timeout = yaml.safe_load(CLOUD_RUN.read_text())["spec"]["template"]["spec"]["timeoutSeconds"]
    assert int(maps["config-defaults"]["max-revision-timeout-seconds"]) == timeout


def test_both_viewers_have_the_read_only_user() -> None:
    users, viewer = (
        dict(line.split("=", 1) for line in (LAB / file).read_text().splitlines())
        for file in ("mongodb-users/stores-secret.env", "knative/viewer/mongodb-uri.env")
    )
    assert viewer == {"latest": users["VIEWER_MONGODB_URI"]}
    assert urlsplit(users["VIEWER_MONGODB_URI"]).username == "viewer"
    assert urlsplit(users["MONGODB_URI"]).username == "consumer"
    assert urlsplit(users["MONGODB_URI"]).password != urlsplit(users["VIEWER_MONGODB_URI"]).password


def test_users_of_mongodb_change_nothing_else_of_the_lab() -> None:
    def by_name(objects: list[dict]) -> dict[tuple[str, str], dict]:
        names = [found["metadata"]["name"] for found in objects if found["kind"] == "Secret"]
        # The name has a hash of the URIs.
        (secret,) = (name for name in names if name.startswith("stores-"))
        text = yaml.safe_dump_all(objects).replace(secret, "stores")
        return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text)}

    lab, users = by_name(rendered("lab").objects), by_name(build("mongodb-users"))
    changed = {name for name in lab.keys() | users.keys() if lab.get(name) != users.get(name)}
    assert changed == {
        ("Secret", "stores"),
        ("StatefulSet", "mongodb"),
        ("Job", "prepare-stores"),
        ("NetworkPolicy", "mongodb-from-knative"),
    }
    (container,) = containers_of(users["StatefulSet", "mongodb"])
    assert "--auth" in container["command"][-1]


def test_schemas_and_lab_have_the_same_version_of_knative() -> None:
    versions = {
        re.search(r"\bknative=(\S+)", (K8S / file).read_text()).group(1)
        for file in ("schemas/fetch.sh", "lab/common.sh")
    }
    assert len(versions) == 1
