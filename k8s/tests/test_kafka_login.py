"""Kafka with TLS and users: permissions of the users, and the settings of the workloads."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import K8S, Overlay, config, name_of, pod_of, rendered

# The permissions of each user, and nothing else: user, kind of resource, its name, operations.
PERMISSIONS = {
    ("ingest", "topic", "votes"): {"Write", "Describe"},
    ("consumer", "topic", "votes"): {"Read", "Describe"},
    ("consumer", "topic", "votes.dlq"): {"Write", "Read", "Create", "Describe"},
    ("consumer", "group", "votes-consumer"): {"Read"},
    ("keda", "topic", "votes"): {"Describe"},
    ("keda", "group", "votes-consumer"): {"Describe"},
}
# The job of the lab that creates the topics, which an operator creates on GKE.
PREPARE = {("prepare", "topic", name): {"Create", "Describe"} for name in ("votes", "votes.dlq")}
USERS = {"ingest-rest": "ingest", "ingest-grpc": "ingest", "consumer": "consumer"}
TLS_PORT, PLAIN_PORT = 9093, 9092
OWNER_READS = 0o400


@pytest.fixture(params=["gke", "lab", "lab-lag"])
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Every overlay whose Kafka has users."""
    return rendered(request.param)


def test_users_of_strimzi_have_exactly_these_permissions() -> None:
    found = {}
    for user in rendered("gke").of("KafkaUser"):
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}, name_of(user)
        assert user["metadata"]["labels"]["strimzi.io/cluster"] == "votes", name_of(user)
        for rule in user["spec"]["authorization"]["acls"]:
            assert rule.keys() == {"resource", "operations"}, name_of(user)
            resource = rule["resource"]
            assert resource["patternType"] == "literal", name_of(user)
            key = (user["metadata"]["name"], resource["type"], resource["name"])
            assert key not in found
            found[key] = set(rule["operations"])
    assert found == PERMISSIONS


def test_users_of_the_lab_have_the_same_permissions() -> None:
    found: dict[tuple[str, str, str], set[str]] = {}
    script = config(rendered("lab"), "kafka")["users.sh"]
    for user, options in re.findall(r"^allow (\S+) (.+)$", script, re.MULTILINE):
        pairs = re.findall(r"--(\w+) (\S+)", options)
        operations = {value for option, value in pairs if option == "operation"}
        for kind, name in (pair for pair in pairs if pair[0] != "operation"):
            assert (user, kind, name) not in found
            found[user, kind, name] = operations
    assert found == PERMISSIONS | PREPARE


def test_kafka_of_the_lab_has_other_listeners_only_for_its_own_pod() -> None:
    (container,) = pod_of(rendered("lab").named("StatefulSet", "kafka"))["containers"]
    options = dict(option.split("=", 1) for option in container["command"] if "=" in option)
    protocols = dict(pair.split(":") for pair in options["listener.security.protocol.map"].split(","))
    for listener in options["listeners"].split(","):
        name, host, _ = re.fullmatch(r"(\w+)://(\S*):(\d+)", listener).groups()
        assert (protocols[name], host) in {("SASL_SSL", ""), ("PLAINTEXT", "localhost")}
    assert options["authorizer.class.name"].endswith("StandardAuthorizer")
    # The user of the listeners without a login.
    assert options["super.users"] == "User:ANONYMOUS"
    assert "allow.everyone.if.no.acl.found" not in str(options)


def test_script_of_the_lab_makes_every_secret_that_the_lab_needs(tmp_path: Path) -> None:
    run = subprocess.run([str(K8S / "lab/secrets.sh"), str(tmp_path)], check=True, capture_output=True, text=True)
    made = {found["metadata"]["name"]: found for found in yaml.safe_load_all(run.stdout) if found}
    overlay = rendered("lab-lag")
    present = {found["metadata"]["name"] for found in overlay.of("Secret")}
    needed = set(re.findall(r"(?:secretName: |ssl-secret: dualpath/)(\S+)", overlay.text)) | {
        source["secret"]["name"]
        for workload in overlay.workloads()
        for volume in pod_of(workload).get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
    }
    assert needed - present == made.keys()
    passwords = {name: found["stringData"]["password"] for name, found in made.items() if "stringData" in found}
    assert {user for user, _, _ in PERMISSIONS | PREPARE} <= passwords.keys()
    assert len(set(passwords.values())) == len(passwords)
    assert "PRIVATE KEY" not in run.stdout + run.stderr, "keys are encoded"


def test_strimzi_has_only_a_listener_with_tls_and_a_login() -> None:
    kafka = rendered("gke").named("Kafka", "votes")["spec"]
    (listener,) = kafka["kafka"]["listeners"]
    assert (listener["tls"], listener["port"]) == (True, TLS_PORT)
    assert listener["authentication"] == {"type": "scram-sha-512"}
    assert kafka["kafka"]["authorization"] == {"type": "simple"}, "without it, every user may do everything"
    assert kafka["entityOperator"].keys() == {"topicOperator", "userOperator", "template"}


def test_only_workloads_with_a_user_and_keda_reach_the_listener_of_strimzi() -> None:
    """Strimzi makes a network policy for the listener. Without peers, it opens the port to everyone."""
    overlay = rendered("gke")
    (listener,) = overlay.named("Kafka", "votes")["spec"]["kafka"]["listeners"]
    of_programs, of_keda = listener["networkPolicyPeers"]
    (expression,) = of_programs["podSelector"].pop("matchExpressions")
    assert of_programs == {"podSelector": {}}
    assert (expression["key"], expression["operator"]) == ("app.kubernetes.io/name", "In")
    assert set(expression["values"]) == USERS.keys()
    assert of_keda == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}


def test_pods_of_strimzi_meet_the_restricted_standard() -> None:
    """The namespace admits no others."""
    kafka = rendered("gke").named("Kafka", "votes")["spec"]
    containers = kafka["kafka"]["template"] | kafka["entityOperator"]["template"]
    assert containers.keys() == {"kafkaContainer", "initContainer", "topicOperatorContainer", "userOperatorContainer"}
    for name, container in containers.items():
        assert container["securityContext"] == {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_brokers_of_strimzi_are_spread_over_zones() -> None:
    (constraint,) = rendered("gke").named("KafkaNodePool", "nodes")["spec"]["template"]["pod"][
        "topologySpreadConstraints"
    ]
    assert (constraint["topologyKey"], constraint["maxSkew"]) == ("topology.kubernetes.io/zone", 1)
    assert constraint["whenUnsatisfiable"] == "DoNotSchedule"


def test_operator_of_strimzi_reaches_its_pods_and_the_api_server_from_the_namespace_itself() -> None:
    policy = rendered("gke").named("NetworkPolicy", "strimzi-operator")["spec"]
    assert policy["podSelector"]["matchLabels"] == {"strimzi.io/kind": "cluster-operator"}
    to_pods, to_api_server = policy["egress"]
    assert to_pods == {"to": [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "votes"}}}]}
    assert {port["port"] for port in to_api_server["ports"]} == {443, 6443}


def test_topics_and_group_of_the_permissions_are_those_of_the_programs(overlay: Overlay) -> None:
    stores = config(overlay, "stores")
    names = {(kind, name) for _, kind, name in PERMISSIONS}
    assert names == {
        ("topic", stores["KAFKA_TOPIC"]),
        ("topic", stores["DEAD_LETTER_TOPIC"]),
        ("group", stores["CONSUMER_GROUP"]),
    }


@pytest.mark.parametrize("name", USERS)
def test_every_workload_logs_in_as_its_user_with_files_that_only_it_can_read(overlay: Overlay, name: str) -> None:
    stores, pod = config(overlay, "stores"), pod_of(overlay.named("Deployment", name))
    (container,) = pod["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    (volume,) = (found["projected"] for found in pod["volumes"] if found["name"] == "kafka-login")
    (mount,) = (found for found in container["volumeMounts"] if found["name"] == "kafka-login")
    assert variables["KAFKA_USERNAME"] == USERS[name]
    assert stores["KAFKA_SECURITY_PROTOCOL"] == "sasl-ssl"
    assert stores["KAFKA_SASL_MECHANISM"] == "scram-sha512"
    assert stores["KAFKA_BROKERS"].endswith(f":{TLS_PORT}")
    assert stores["KAFKA_CA"] == f"{mount['mountPath']}/ca.crt"
    assert stores["KAFKA_PASSWORD_FILE"] == f"{mount['mountPath']}/password"
    secrets = {source["secret"]["name"]: source["secret"]["items"] for source in volume["sources"]}
    assert secrets == {
        "votes-cluster-ca-cert": [{"key": "ca.crt", "path": "ca.crt"}],
        USERS[name]: [{"key": "password", "path": "password"}],
    }
    assert volume["defaultMode"] == OWNER_READS
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]


def test_keda_logs_in_to_read_the_lag(overlay: Overlay) -> None:
    if not overlay.of("ScaledObject"):
        return
    (trigger,) = overlay.named("ScaledObject", "consumer")["spec"]["triggers"]
    assert (trigger["metadata"]["tls"], trigger["metadata"]["sasl"]) == ("enable", "scram_sha512")
    assert trigger["metadata"]["bootstrapServers"].endswith(f":{TLS_PORT}")
    spec = overlay.named("TriggerAuthentication", trigger["authenticationRef"]["name"])["spec"]
    (username,) = spec["configMapTargetRef"]
    assert overlay.named("ConfigMap", username["name"])["data"] == {username["key"]: "keda"}
    assert {(found["parameter"], found["name"], found["key"]) for found in spec["secretTargetRef"]} == {
        ("password", "keda", "password"),
        ("ca", "votes-cluster-ca-cert", "ca.crt"),
    }


def test_network_policies_allow_only_the_port_with_tls(overlay: Overlay) -> None:
    clients = {"ingest-rest", "ingest-grpc", "consumer", "prepare-stores"}
    for policy in overlay.of("NetworkPolicy"):
        name = policy["metadata"]["name"]
        rules = policy["spec"].get("egress", []) + policy["spec"].get("ingress", [])
        ports = [port["port"] for rule in rules for port in rule.get("ports", [])]
        assert PLAIN_PORT not in ports, name
        if name in clients | {"kafka", "kafka-from-keda"}:
            assert TLS_PORT in ports, name
