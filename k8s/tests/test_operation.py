"""Availability: probes, resources, disruption budgets, drain times, and references between objects."""

import math
import re

import yaml

from conftest import Overlay, config, containers_of, labels_of, name_of, pod_of, references

# Long-running containers without probes, with the reason.
WITHOUT_PROBES = {"locust-worker": "listens on no port"}
# Secrets that no overlay contains: from cert-manager or make-secrets.sh, from Strimzi or k8s/lab/secrets.sh, and from
# make-passwords.sh.
TLS_SECRETS = {"ingress-tls", "ingest-rest-tls", "ingest-grpc-tls", "bridge-tls", "consumer-tls", "viewer-tls"}
KAFKA_SECRETS = {"votes-cluster-ca-cert", "ingest", "consumer"}
KAFKA_OF_THE_LAB_SECRETS = KAFKA_SECRETS | {"kafka-tls", "keda", "prepare"}
STORES_SECRETS = {
    "redis-tls", "redis-consumer", "redis-viewer", "redis-grafana", "mongodb-tls", "mongodb-consumer", "mongodb-viewer",
}  # fmt: skip
# The operator creates `stores` and `grafana-admin` before the deployment (overlays/gke/README.md).
EXTERNAL_SECRETS = {
    "gke": {"stores", "grafana-admin"} | TLS_SECRETS | KAFKA_SECRETS,
    "kind": STORES_SECRETS,
    "lab": TLS_SECRETS | KAFKA_OF_THE_LAB_SECRETS | STORES_SECRETS,
}
EXTERNAL_SECRETS["lab-lag"] = EXTERNAL_SECRETS["lab"]
MILLISECONDS = 1000


def test_every_container_has_requests_and_limits(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        for container in containers_of(workload):
            name = f"{name_of(workload)} {container['name']}"
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][kind].keys(), name


def test_every_server_has_startup_readiness_and_liveness_probes(overlay: Overlay) -> None:
    for workload in overlay.of("Deployment", "StatefulSet"):
        if workload["metadata"]["name"] in WITHOUT_PROBES:
            continue
        (container,) = pod_of(workload)["containers"]
        probes = {"startupProbe", "readinessProbe", "livenessProbe"}
        assert probes <= container.keys(), name_of(workload)
        named_ports = {port["name"] for port in container["ports"]}
        for probe in probes:
            (handler,) = container[probe].keys() & {"httpGet", "tcpSocket"}
            assert container[probe][handler]["port"] in named_ports, name_of(workload)


def test_every_replicated_deployment_has_a_budget_that_allows_a_drain(overlay: Overlay) -> None:
    budgets = {found["metadata"]["name"]: found["spec"] for found in overlay.of("PodDisruptionBudget")}
    scaled = {
        found["spec"]["scaleTargetRef"]["name"] for found in overlay.of("HorizontalPodAutoscaler", "ScaledObject")
    }
    for deployment in overlay.of("Deployment"):
        name = deployment["metadata"]["name"]
        if name.startswith("locust") or (name not in scaled and deployment["spec"]["replicas"] == 1):
            continue
        budget = budgets.pop(name)
        assert budget["maxUnavailable"] == 1, name
        assert budget["selector"]["matchLabels"].items() <= labels_of(deployment).items(), name
    assert not budgets, "disruption budget without a replicated deployment"


def test_replicas_spread_over_nodes(overlay: Overlay) -> None:
    for name in ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer", "ingress"):
        constraints = pod_of(overlay.named("Deployment", name))["topologySpreadConstraints"]
        assert "kubernetes.io/hostname" in {constraint["topologyKey"] for constraint in constraints}, name


def test_drain_ends_within_the_grace_period(overlay: Overlay) -> None:
    routes = config(overlay, "routes")
    for name in ("ingest-rest", "ingest-grpc", "bridge", "consumer", "viewer"):
        pod = pod_of(overlay.named("Deployment", name))
        (container,) = pod["containers"]
        own = {variable["name"]: variable.get("value") for variable in container.get("env", [])}
        # The default of the services is 10 s.
        drain_ms = int(
            own.get("DRAIN_TIMEOUT_MS") or (routes["DRAIN_TIMEOUT_MS"] if "routes" in str(container) else 10_000)
        )
        stop_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["terminationGracePeriodSeconds"] > stop_s + math.ceil(drain_ms / MILLISECONDS), name


def test_ingress_closes_all_connections_before_it_stops(overlay: Overlay) -> None:
    pod = pod_of(overlay.named("Deployment", "ingress"))
    (container,) = pod["containers"]
    seconds = {
        option: int(re.search(rf"{option}=(\d+)s", " ".join(container["args"])).group(1))
        for option in ("keepalivemaxtime", "gracetimeout")
    }
    stop_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert seconds["keepalivemaxtime"] < stop_s, "a connection must reach its maximum age during preStop"
    assert pod["terminationGracePeriodSeconds"] > stop_s + seconds["gracetimeout"]


def test_consumers_never_outnumber_partitions(overlay: Overlay) -> None:
    if overlay.of("KafkaTopic"):
        partitions = overlay.named("KafkaTopic", "votes")["spec"]["partitions"]
    else:
        (container,) = pod_of(overlay.named("Job", "prepare-stores"))["containers"]
        partitions = int(re.search(r"--partitions=(\d+)", " ".join(container["args"])).group(1))
    (scaler,) = (
        found
        for found in overlay.of("HorizontalPodAutoscaler", "ScaledObject")
        if found["spec"]["scaleTargetRef"]["name"] == "consumer"
    )
    spec = scaler["spec"]
    maximum = spec.get("maxReplicas") or spec["maxReplicaCount"]
    minimum = spec.get("minReplicas") or spec["minReplicaCount"]
    deployment = overlay.named("Deployment", "consumer")["spec"]
    assert (minimum, maximum) == (2, 5), "the course requires 2 to 5 replicas"
    assert maximum + deployment["strategy"]["rollingUpdate"]["maxSurge"] <= partitions
    assert "replicas" not in deployment, "each `kubectl apply` would reset the number of replicas"


def test_mongodb_member_is_the_pods_full_name(overlay: Overlay) -> None:
    if not (found := [found for found in overlay.of("StatefulSet") if found["metadata"]["name"] == "mongodb"]):
        return
    namespace = found[0]["metadata"]["namespace"]
    own_name = f"mongodb-0.mongodb.{namespace}.svc.cluster.local:27017"
    assert f"member={own_name} " in config(overlay, "mongodb")["users.sh"]
    (container,) = pod_of(overlay.named("Deployment", "consumer"))["containers"]
    (uri,) = (variable["value"] for variable in container["env"] if variable["name"] == "MONGODB_URI")
    assert f"@{own_name}/" in uri


def test_referenced_config_maps_and_secrets_exist(overlay: Overlay) -> None:
    present = {(found["kind"], found["metadata"]["name"]) for found in overlay.of("ConfigMap", "Secret")} | {
        ("Secret", name) for name in EXTERNAL_SECRETS.get(overlay.name, ())
    }
    for workload in overlay.workloads():
        for kind, name in sorted(references(pod_of(workload))):
            assert (kind, name) in present, f"{name_of(workload)} needs {kind}/{name}"
            # The name has a hash of the content, so that a change causes a rollout.
            assert re.search(r"-[a-z0-9]{10}$", name) or name in EXTERNAL_SECRETS.get(overlay.name, ()), name


def test_every_service_selects_pods_that_listen_on_its_ports(overlay: Overlay) -> None:
    for service in overlay.of("Service"):
        selector = service["spec"]["selector"].items()
        chosen = [workload for workload in overlay.workloads() if selector <= labels_of(workload).items()]
        assert chosen, name_of(service)
        for workload in chosen:
            listens = {port["name"]: port["containerPort"] for port in pod_of(workload)["containers"][0]["ports"]}
            for port in service["spec"]["ports"]:
                assert listens[port["targetPort"]] == port["port"], name_of(service)


def test_prometheus_scrapes_every_admin_service(overlay: Overlay) -> None:
    prometheus = yaml.safe_load(config(overlay, "prometheus")["prometheus.yml"])
    scraped = {
        (name, source["port"])
        for job in prometheus["scrape_configs"]
        for source in job["dns_sd_configs"]
        for name in source["names"]
    }
    headless = {
        (service["metadata"]["name"], port["port"])
        for service in overlay.of("Service")
        if service["metadata"]["name"].endswith("-admin")
        for port in service["spec"]["ports"]
    }
    assert scraped == headless
    assert len(scraped) == 7
