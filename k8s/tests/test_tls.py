"""TLS of the overlays with components/tls: all listeners, all connections between the pods, and their Secrets."""

import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import Overlay, config, name_of, pod_of, rendered, traefik_arguments
from ingress_stack import SERVICES, running
from tls_secrets import content, make_secrets, names, secrets

SECURED = ["lab", "lab-lag", "gke"]
ANNOTATION = "nginx.ingress.kubernetes.io/"
PROGRAMS = {"ingest-rest": 65532, "ingest-grpc": 65532, "bridge": 65532, "viewer": 65532, "consumer": 65532}
ADMIN = "admin.dualpath.svc"
# Not on GKE, where the stores are managed.
STORES = {"redis-tls", "mongodb-tls"}
OWNER_READS = 0o400


@pytest.fixture(params=SECURED)
def secured(request: pytest.FixtureRequest) -> Overlay:
    """Every overlay with TLS."""
    return rendered(request.param)


def environment(overlay: Overlay, name: str) -> dict[str, str]:
    """Returns the variables of a Deployment's container that have a value."""
    (container,) = pod_of(overlay.named("Deployment", name))["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_has_a_certificate_of_its_own_that_only_it_can_read(secured: Overlay, name: str) -> None:
    variables, pod = environment(secured, name), pod_of(secured.named("Deployment", name))
    (volume,) = (found["secret"] for found in pod["volumes"] if found["name"] == "tls")
    (mount,) = (found for found in pod["containers"][0]["volumeMounts"] if found["name"] == "tls")
    assert volume == {"secretName": f"{name}-tls", "defaultMode": OWNER_READS}
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"] == PROGRAMS[name]
    assert mount["readOnly"] is True
    # The consumer has an admin port only.
    for listener in ["ADMIN_TLS"] if name == "consumer" else ["TLS", "ADMIN_TLS"]:
        assert variables[f"{listener}_CERT"] == f"{mount['mountPath']}/tls.crt"
        assert variables[f"{listener}_KEY"] == f"{mount['mountPath']}/tls.key"
    assert ADMIN in names(secrets()[f"{name}-tls"])


def test_probes_use_the_admin_ports_by_tls(secured: Overlay) -> None:
    for name in PROGRAMS:
        (container,) = pod_of(secured.named("Deployment", name))["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "admin", name
            assert container[probe]["httpGet"]["scheme"] == "HTTPS", name


def test_prometheus_verifies_the_admin_ports_and_is_otherwise_that_of_the_base(secured: Overlay) -> None:
    found = yaml.safe_load(config(secured, "prometheus")["prometheus.yml"])
    (job,) = (job for job in found["scrape_configs"] if job["job_name"] == "dualpath")
    assert job.pop("scheme") == "https"
    pod = pod_of(secured.named("Deployment", "prometheus"))
    (mount,) = (found for found in pod["containers"][0]["volumeMounts"] if found["name"] == "ingress-ca")
    assert job.pop("tls_config") == {"ca_file": f"{mount['mountPath']}/ca.crt", "server_name": ADMIN}
    # The key of the Ingress is not for Prometheus.
    (volume,) = (found["secret"] for found in pod["volumes"] if found["name"] == "ingress-ca")
    assert volume == {"secretName": "ingress-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert found == yaml.safe_load(config(rendered("kind"), "prometheus")["prometheus.yml"])


def test_pod_monitors_verify_the_admin_ports() -> None:
    (endpoint,) = rendered("gke").named("PodMonitor", "dualpath")["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {
        "ca": {"secret": {"name": "ingress-tls", "key": "ca.crt"}},
        "serverName": ADMIN,
    }


def test_bridge_verifies_its_upstream_by_a_name_in_the_certificate(secured: Overlay) -> None:
    variables = environment(secured, "bridge")
    host = re.fullmatch(r"https://(.+):50051", variables["UPSTREAM"]).group(1)
    assert host in names(secrets()["ingest-grpc-tls"])
    assert variables["UPSTREAM_CA"] == "/etc/tls/ca.crt"


def test_every_service_of_a_route_announces_tls(secured: Overlay) -> None:
    for service in secured.of("Service"):
        if service["spec"]["selector"]["app.kubernetes.io/name"] in PROGRAMS:
            (port,) = service["spec"]["ports"]
            assert (port.get("appProtocol") == "https") is (port["name"] != "admin"), name_of(service)


def test_traefik_serves_routes_only_by_tls(secured: Overlay) -> None:
    arguments = traefik_arguments(secured)
    addresses = {
        option.split(".")[1]: address
        for option, address in arguments.items()
        if re.fullmatch(r"--entrypoints\.\w+\.address", option)
    }
    assert addresses == {"web": ":8000", "traefik": ":9106", "unused": "127.0.0.1:8001"}
    assert arguments["--providers.kubernetesingressnginx.httpsentrypoint"] == "web"
    assert arguments["--providers.kubernetesingressnginx.httpentrypoint"] == "unused"
    for ingress in secured.of("Ingress"):
        assert ingress["spec"]["tls"] == [{"secretName": "ingress-tls"}], name_of(ingress)
    for gateway in secured.of("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            assert listener["protocol"] == "HTTPS"
            (reference,) = listener["tls"]["certificateRefs"]
            assert reference["name"] == "ingress-tls"


def test_traefik_verifies_every_service_by_a_name_in_its_certificate(secured: Overlay) -> None:
    selected = {
        service["metadata"]["name"]: service["spec"]["selector"]["app.kubernetes.io/name"]
        for service in secured.of("Service")
    }
    for ingress in secured.of("Ingress"):
        annotations, name = ingress["metadata"]["annotations"], name_of(ingress)
        assert annotations[ANNOTATION + "backend-protocol"] in {"HTTPS", "GRPCS"}, name
        assert annotations[ANNOTATION + "proxy-ssl-verify"] == "on", name
        assert annotations[ANNOTATION + "proxy-ssl-secret"] == "dualpath/ingress-client-tls", name
        # Traefik ignores the annotations of a default backend.
        assert "defaultBackend" not in ingress["spec"], name
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            secret = secrets()[f"{selected[path['backend']['service']['name']]}-tls"]
            assert annotations[ANNOTATION + "proxy-ssl-name"] in names(secret), name
    policies = {target["name"]: policy for policy in secured.of("BackendTLSPolicy") for target in targets(policy)}
    references = {
        reference["name"]
        for route in secured.of("HTTPRoute", "GRPCRoute")
        for rule in route["spec"]["rules"]
        for reference in rule["backendRefs"]
    }
    assert policies.keys() == references
    for service, policy in policies.items():
        validation = policy["spec"]["validation"]
        assert [reference["name"] for reference in validation["caCertificateRefs"]] == ["ingress-client-tls"], service
        assert validation["hostname"] in names(secrets()[f"{selected[service]}-tls"]), service


def targets(policy: dict) -> list[dict]:
    """Returns the Services of a BackendTLSPolicy."""
    return policy["spec"]["targetRefs"]


def test_load_generator_verifies_the_ingress_and_has_no_key(secured: Overlay) -> None:
    (settings,) = (
        found["data"] for found in secured.of("ConfigMap") if re.match(r"locust-\w{10}$", found["metadata"]["name"])
    )
    host = re.fullmatch(r"https://(.+):8000", settings["LOCUST_HOST"]).group(1)
    assert host in names(secrets()["ingress-tls"])
    for name in ("locust-master", "locust-worker"):
        pod = pod_of(secured.named("Deployment", name))
        (volume,) = (found["secret"] for found in pod["volumes"] if "secret" in found)
        assert volume["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert settings["LOCUST_CA"] == f"{mounts['ingress-ca']}/ca.crt"


def test_cert_manager_makes_the_secrets_of_the_script_and_renews_them() -> None:
    certificates = {
        found["spec"]["secretName"]: found["spec"] for found in rendered("gke").of("Certificate") if not is_ca(found)
    }
    assert {name: set(spec["dnsNames"]) for name, spec in certificates.items()} == {
        name: names(secret) for name, secret in secrets().items() if name not in STORES
    }
    for name, spec in certificates.items():
        assert hours(spec["renewBefore"]) < hours(spec["duration"]) <= 90 * 24, name
        assert spec["privateKey"]["rotationPolicy"] == "Always", name
        assert spec["issuerRef"] == {"name": "dualpath-ca", "kind": "Issuer"}, name
    (authority,) = (found["spec"] for found in rendered("gke").of("Certificate") if is_ca(found))
    assert rendered("gke").named("Issuer", "dualpath-ca")["spec"] == {"ca": {"secretName": authority["secretName"]}}


def is_ca(certificate: dict) -> bool:
    """Tells whether a Certificate is a CA's."""
    return certificate["spec"].get("isCA", False)


def hours(duration: str) -> int:
    """Returns the hours of a duration such as 720h."""
    return int(duration.removesuffix("h"))


def test_script_keeps_its_ca_and_makes_new_keys(tmp_path: Path) -> None:
    first, second, other = make_secrets(tmp_path), make_secrets(tmp_path), make_secrets()
    for name, secret in first.items():
        assert content(second[name], "ca.crt") == content(secret, "ca.crt") != content(other[name], "ca.crt")
        assert content(second[name], "tls.key") != content(secret, "tls.key")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def wrong_certificates() -> Iterator[tuple[str, dict[str, dict]]]:
    """Yields certificates that Traefik must refuse."""
    yield "no TLS", {}
    others = make_secrets()
    yield "another CA", {name: others[f"{name}-tls"] for name in (*SERVICES, "ingest-grpc")}
    yield "another name", {name: secrets()["viewer-tls"] for name in (*SERVICES, "ingest-grpc")}


@pytest.mark.parametrize("host", ["ingress", "votes.dualpath.example"])
def test_traefik_sends_no_vote_to_a_service_that_it_cannot_verify(tmp_path: Path, host: str) -> None:
    for what, certificates in wrong_certificates():
        with running(rendered("lab"), tmp_path / "traefik.log", certificates=certificates) as ingress:
            for path in ("/v1/votes", "/rest/v1/votes", "/grpc/v1/votes", "/unknown"):
                status, body = ingress.post(path, {"Host": host})
                assert status in {500, 502}, f"{what}: {status} {body}"
            assert ingress.received == [], what


def test_traefik_answers_no_route_without_tls(tmp_path: Path) -> None:
    with running(rendered("lab"), tmp_path / "traefik.log") as ingress:
        for path in ("/v1/votes", "/rest/v1/votes", "/"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{ingress.port}{path}", data=b"{}", timeout=5)
        assert ingress.received == []


def test_client_that_trusts_another_ca_refuses_the_ingress(tmp_path: Path) -> None:
    other = ssl.create_default_context(cadata=content(make_secrets()["ingress-tls"], "ca.crt").decode())
    with running(rendered("lab"), tmp_path / "traefik.log") as ingress, pytest.raises(ssl.SSLCertVerificationError):
        ingress.post("/rest/v1/votes", tls=other)
