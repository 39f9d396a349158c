"""Routing: the Ingress and the Gateway API objects send each path to its service."""

import pytest

from conftest import Overlay, rendered
from tls_secrets import is_secured

ANNOTATION = "nginx.ingress.kubernetes.io/"
DEFAULT = "every other path"
GRPC_SERVICES = {
    "votes.v1.VoteService",
    "confproto.getInfo",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}


def backends(ingress: dict) -> dict[str, tuple[str, int]]:
    """Returns Service name and port for each path of an Ingress, and for `DEFAULT`."""
    paths = [path for rule in ingress["spec"].get("rules", []) for path in rule["http"]["paths"]]
    services = {path["path"]: path["backend"]["service"] for path in paths}
    if "defaultBackend" in ingress["spec"]:
        services[DEFAULT] = ingress["spec"]["defaultBackend"]["service"]
    return {path: (service["name"], service["port"]["number"]) for path, service in services.items()}


def test_canary_ingress_has_the_paths_of_the_main_ingress(overlay: Overlay) -> None:
    main, canary = overlay.named("Ingress", "split"), overlay.named("Ingress", "split-canary")
    assert backends(main) == {"/v1/votes": ("split-rest", 8080)}
    assert backends(canary) == {"/v1/votes": ("split-bridge", 8081)}
    annotations = canary["metadata"]["annotations"]
    assert annotations[ANNOTATION + "canary"] == "true"
    assert 0 <= int(annotations[ANNOTATION + "canary-weight"]) <= 100
    assert annotations[ANNOTATION + "canary-by-header"] == "x-canary"


def test_only_the_split_uses_the_split_services(overlay: Overlay) -> None:
    for ingress in overlay.of("Ingress"):
        if not ingress["metadata"]["name"].startswith("split"):
            assert not {name for name, _ in backends(ingress).values()} & {"split-rest", "split-bridge"}


def test_every_backend_is_an_existing_service_port(overlay: Overlay) -> None:
    ports = {
        (service["metadata"]["name"], port["port"])
        for service in overlay.of("Service")
        for port in service["spec"]["ports"]
    }
    for ingress in overlay.of("Ingress"):
        assert set(backends(ingress).values()) <= ports
    for route in overlay.of("HTTPRoute", "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            assert {(reference["name"], reference["port"]) for reference in rule["backendRefs"]} <= ports


def test_native_grpc_has_a_separate_ingress(overlay: Overlay) -> None:
    ingress = overlay.named("Ingress", "grpc")
    expected = "GRPCS" if is_secured(overlay) else "GRPC"
    assert ingress["metadata"]["annotations"][ANNOTATION + "backend-protocol"] == expected
    assert backends(ingress) == {f"/{name}": ("ingest-grpc", 50051) for name in GRPC_SERVICES}


def test_unknown_paths_reach_rest_with_the_path_unknown(overlay: Overlay) -> None:
    unknown = overlay.named("Ingress", "unknown")
    assert backends(unknown) == {"/.*" if is_secured(overlay) else DEFAULT: ("ingest-rest", 8080)}
    assert unknown["metadata"]["annotations"][ANNOTATION + "rewrite-target"] == "/unknown"


@pytest.mark.parametrize("name", ["lab", "gke"])
def test_gateway_splits_evenly_and_serves_grpc_on_a_separate_host(name: str) -> None:
    overlay = rendered(name)
    # components/tls-gateway explains why native gRPC is an HTTPRoute.
    http, grpc = overlay.named("HTTPRoute", "votes")["spec"], overlay.named("HTTPRoute", "grpc")["spec"]
    assert not overlay.of("GRPCRoute")
    assert not set(http["hostnames"]) & set(grpc["hostnames"])
    (split,) = (rule for rule in http["rules"] if len(rule["backendRefs"]) > 1)
    assert [reference["weight"] for reference in split["backendRefs"]] == [50, 50]
    (rule,) = grpc["rules"]
    assert {match["path"]["value"] for match in rule["matches"]} == {f"/{name}" for name in GRPC_SERVICES}
    paths = {match["path"]["value"] for rule in http["rules"] for match in rule["matches"]}
    assert paths == {"/v1/votes", "/v1/votes:batch", "/rest", "/rust", "/wasm", "/grpc", "/"}
    (unknown,) = (rule for rule in http["rules"] if rule["matches"][0]["path"]["value"] == "/")
    (rewrite,) = unknown["filters"]
    assert rewrite["urlRewrite"]["path"]["replaceFullPath"] not in {"/", "/insert", "/send_data"}
