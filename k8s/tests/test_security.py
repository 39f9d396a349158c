"""What the restricted Pod Security Standard asks, and some more.

Nothing runs as root, can write where it need not, or can ask the API server without need; no secret lies where it may
be read.
"""

import base64
import re

from conftest import Overlay, containers_of, name_of, pod_of, rendered

# Who asks the API server, and for what.
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


def test_the_namespace_enforces_the_restricted_standard(overlay: Overlay) -> None:
    (namespace,) = overlay.of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for found in overlay.objects:
        wanted = None if found["kind"] in CLUSTER_SCOPED else "dualpath"
        assert found["metadata"].get("namespace") == wanted, name_of(found)


def test_no_pod_runs_as_root_or_shares_with_its_node(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        pod, name = pod_of(workload), name_of(workload)
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), name


def test_no_container_can_gain_rights_or_change_its_image(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        for container in containers_of(workload):
            context, name = container["securityContext"], f"{name_of(workload)} {container['name']}"
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert not {"privileged", "runAsUser", "runAsNonRoot"} & context.keys(), name


def test_each_workload_has_an_account_of_its_own_without_a_token(overlay: Overlay) -> None:
    accounts = {found["metadata"]["name"]: found for found in overlay.of("ServiceAccount")}
    for workload in overlay.workloads():
        pod, name = pod_of(workload), workload["metadata"]["name"]
        assert pod["serviceAccountName"] in accounts, name
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False, name
        assert pod["automountServiceAccountToken"] is (name in WITH_TOKEN), name


def test_roles_give_no_more_than_reading(overlay: Overlay) -> None:
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


def test_no_password_is_in_a_config_map_or_a_pod(overlay: Overlay) -> None:
    values = [
        base64.b64decode(value).decode() for secret in overlay.of("Secret") for value in secret.get("data", {}).values()
    ]
    passwords = {word for value in values for word in re.findall(r"(?:requirepass |://:|PASSWORD=)([^\s@]+)", value)}
    assert passwords or overlay.name == "gke"
    for found in overlay.objects:
        if found["kind"] != "Secret":
            text = str(found)
            assert not PASSWORD_IN_URL.search(text), name_of(found)
            assert not any(password in text for password in passwords), name_of(found)


def test_a_shared_cluster_gets_its_secrets_from_outside() -> None:
    assert rendered("gke").of("Secret") == []


def test_every_pod_is_named_by_a_network_policy(overlay: Overlay) -> None:
    policies = overlay.of("NetworkPolicy")
    default = overlay.named("NetworkPolicy", "default-deny")
    assert default["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    named = {
        policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name"): policy
        for policy in policies
    }
    for workload in overlay.workloads():
        name = workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        assert name in named, f"nothing may connect to or from {name}"
