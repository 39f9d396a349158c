"""The viewer on Knative: its manifests."""

import re
import subprocess

import yaml

from conftest import K8S, containers_of, errors, pod_of, tool

LAB = K8S / "lab"
CLOUD_RUN = K8S.parent / "viewer/cloudrun.yaml"
# What the lab replaces in cloudrun.yaml.
REPLACED = {"serviceAccountName", "image", "requests", "TRUSTED_PROXIES", "volumes", "volumeMounts"}


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


def test_manifests_of_the_stage_are_valid_by_their_schemas() -> None:
    assert errors(yaml.safe_dump_all(build("knative/viewer"))) == []
    assert errors((LAB / "knative/mongodb-policy.yaml").read_text()) == []


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


def test_knative_reads_the_uri_and_the_ca_of_mongodb_from_secrets() -> None:
    service = one(build("knative/viewer"), "Service", "dualpath-viewer")
    (container,) = pod_of(service)["containers"]
    (uri,) = (variable for variable in container["env"] if variable["name"] == "MONGODB_URI")
    assert uri["valueFrom"]["secretKeyRef"] == {"name": "dualpath-viewer-mongodb-uri", "key": "latest"}
    (volume,) = pod_of(service)["volumes"]
    (mount,) = container["volumeMounts"]
    assert volume == {"name": mount["name"], "secret": {"secretName": "dualpath-viewer-mongodb-ca"}}
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/mongodb", True)


def test_schemas_and_lab_have_the_same_version_of_knative() -> None:
    versions = {
        re.search(r"\bknative=(\S+)", (K8S / file).read_text()).group(1)
        for file in ("schemas/fetch.sh", "lab/common.sh")
    }
    assert len(versions) == 1
