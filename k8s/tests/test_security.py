"""Security: the restricted Pod Security Standard and further rules.

No container runs as root or has a writable root file system. Only listed pods have access to the API server. No
password is outside a Secret.
"""

import base64
import re

from conftest import Overlay, containers_of, name_of, pod_of, rendered

# Workloads that use the API server, with the reason.
WITH_TOKEN = {
    "ingress": "watches Ingress objects and endpoints",
    "split-weight": "reads the weight of one Ingress",
}
CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "GatewayClass",
    "IngressClass",
    "Namespace",
    "PersistentVolume",
}
PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
# ${VARIABLE}, which Grafana replaces, and %s are no passwords.
PASSWORD_IN_TEXT = re.compile(r"""password['"]?\s*[=:]\s*['"]?[^\s$%'"]""", re.IGNORECASE)
SECRET_ARGUMENT = re.compile(r"-(password|token|secret|key)=", re.IGNORECASE)
SECRET_VARIABLE = re.compile(r"(PASSWORD|TOKEN|SECRET|_KEY)$")
# These variables name a file.
FILE_VARIABLES = {"TLS_KEY", "ADMIN_TLS_KEY", "UPSTREAM_KEY", "KAFKA_KEY"}


def test_namespace_enforces_the_restricted_standard(overlay: Overlay) -> None:
    (namespace,) = overlay.of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for found in overlay.objects:
        expected = None if found["kind"] in CLUSTER_SCOPED else "dualpath"
        assert found["metadata"].get("namespace") == expected, name_of(found)


def test_no_pod_runs_as_root_or_uses_host_resources(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        pod, name = pod_of(workload), name_of(workload)
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), name


def test_no_container_can_gain_privileges_or_write_to_its_root(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        for container in containers_of(workload):
            context, name = container["securityContext"], f"{name_of(workload)} {container['name']}"
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not {"privileged", "runAsUser", "runAsNonRoot"} & context.keys(), name


def test_each_workload_has_a_service_account_and_only_listed_ones_a_token(overlay: Overlay) -> None:
    accounts = {found["metadata"]["name"]: found for found in overlay.of("ServiceAccount")}
    for workload in overlay.workloads():
        pod, name = pod_of(workload), workload["metadata"]["name"]
        assert pod["serviceAccountName"] in accounts, name
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False, name
        assert pod["automountServiceAccountToken"] is (name in WITH_TOKEN), name


def test_roles_allow_only_reads_and_status_updates(overlay: Overlay) -> None:
    for role in overlay.of("Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], name_of(role)
            changes = set(rule["verbs"]) - {"get", "list", "watch"}
            only_status = all(resource.endswith("/status") for resource in rule["resources"])
            assert changes <= ({"update"} if only_status else set()), name_of(role)
            if role["kind"] == "ClusterRole":
                assert "secrets" not in rule["resources"], name_of(role)


def test_images_are_pinned(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        for container in containers_of(workload):
            name, _, tag = container["image"].rpartition(":")
            assert name, container["image"]
            assert re.fullmatch(r"v?\d+(\.\d+)+", tag), container["image"]


def test_no_password_is_outside_a_secret(overlay: Overlay) -> None:
    passwords = {
        base64.b64decode(value).decode()
        for secret in overlay.of("Secret")
        for name, value in secret["data"].items()
        if name.endswith("PASSWORD")
    }
    assert passwords or not overlay.of("Secret")
    for found in overlay.objects:
        if found["kind"] != "Secret":
            text = str(found)
            assert not PASSWORD_IN_URL.search(text), name_of(found)
            assert not any(password in text for password in passwords), name_of(found)


def test_no_config_map_argument_or_variable_has_a_key_or_a_password(overlay: Overlay) -> None:
    for found in overlay.of("ConfigMap"):
        assert "PRIVATE KEY" not in str(found), name_of(found)
        assert not PASSWORD_IN_TEXT.search(str(found["data"])), name_of(found)
    for workload in overlay.workloads():
        for container in containers_of(workload):
            command = container.get("command", []) + container.get("args", [])
            assert not any(SECRET_ARGUMENT.search(argument) for argument in command), name_of(workload)
            for variable in container.get("env", []):
                is_secret = SECRET_VARIABLE.search(variable["name"]) and variable["name"] not in FILE_VARIABLES
                assert not (is_secret and "value" in variable), f"{name_of(workload)} {variable['name']}"


def test_gke_overlay_contains_no_secrets() -> None:
    assert rendered("gke").of("Secret") == []


def test_every_pod_has_a_network_policy(overlay: Overlay) -> None:
    policies = overlay.of("NetworkPolicy")
    default = overlay.named("NetworkPolicy", "default-deny")
    assert default["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    named = {
        policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name"): policy
        for policy in policies
    }
    for workload in overlay.workloads():
        name = workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        assert name in named, f"no network policy allows connections of {name}"
