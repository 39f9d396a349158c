"""Kafka with TLS and users: permissions of the users, and the settings of the workloads."""

import pytest

from conftest import Overlay, config, name_of, pod_of, rendered

# The permissions of each user, and nothing else: user, kind of resource, its name, operations.
PERMISSIONS = {
    ("ingest", "topic", "votes"): {"Write", "Describe"},
    ("consumer", "topic", "votes"): {"Read", "Describe"},
    ("consumer", "topic", "votes.dlq"): {"Write", "Read", "Create", "Describe"},
    ("consumer", "group", "votes-consumer"): {"Read"},
    ("consumer", "group", "dualpath-scan"): {"Describe"},
    ("keda", "topic", "votes"): {"Describe"},
    ("keda", "group", "votes-consumer"): {"Describe"},
}
USERS = {"ingest-rest": "ingest", "ingest-grpc": "ingest", "consumer": "consumer"}
TLS_PORT, PLAIN_PORT = 9093, 9092
OWNER_READS = 0o400


@pytest.fixture(params=["gke"])
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


def test_strimzi_has_only_a_listener_with_tls_and_a_login() -> None:
    kafka = rendered("gke").named("Kafka", "votes")["spec"]
    (listener,) = kafka["kafka"]["listeners"]
    assert (listener["tls"], listener["port"]) == (True, TLS_PORT)
    assert listener["authentication"] == {"type": "scram-sha-512"}
    assert kafka["kafka"]["authorization"] == {"type": "simple"}, "without it, every user may do everything"
    assert kafka["entityOperator"].keys() == {"topicOperator", "userOperator"}


def test_topics_and_group_of_the_permissions_are_those_of_the_programs(overlay: Overlay) -> None:
    stores = config(overlay, "stores")
    names = {(kind, name) for _, kind, name in PERMISSIONS}
    assert names == {
        ("topic", stores["KAFKA_TOPIC"]),
        ("topic", stores["DEAD_LETTER_TOPIC"]),
        ("group", stores["CONSUMER_GROUP"]),
        # crates/kafka/src/scan.rs
        ("group", "dualpath-scan"),
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
    clients = {"ingest-rest", "ingest-grpc", "consumer"}
    for policy in overlay.of("NetworkPolicy"):
        name = policy["metadata"]["name"]
        rules = policy["spec"].get("egress", []) + policy["spec"].get("ingress", [])
        ports = [port["port"] for rule in rules for port in rule.get("ports", [])]
        assert PLAIN_PORT not in ports, name
        if name in clients | {"kafka", "kafka-from-keda"}:
            assert TLS_PORT in ports, name
