"""Traefik itself, with the arguments and the objects of an overlay: `lab` has TLS and the Gateway API, `kind` not."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from conftest import Overlay, config, rendered, traefik_arguments
from ingress_stack import ABORT_HEADER, DELAY_HEADER, Ingress, running

HTTP_HOST, GRPC_HOST = {"Host": "votes.dualpath.example"}, {"Host": "grpc.dualpath.example"}
INGRESS_NGINX = "--providers.kubernetesingressnginx."
# Factor by which the test of idle connections is faster than the deployment.
ACCELERATION = 15
KIB = 1024


@pytest.fixture(scope="module", params=["lab", "kind"])
def ingress(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingress]:
    with running(rendered(request.param), tmp_path_factory.mktemp("ingress") / "traefik.log") as started:
        yield started


@pytest.mark.parametrize("host", [{}, HTTP_HOST])
def test_each_path_reaches_its_service(ingress: Ingress, host: dict[str, str]) -> None:
    for path, headers, expected in [
        ("/v1/votes", {"x-canary": "always"}, "bridge /v1/votes"),
        ("/v1/votes", {"x-canary": "never"}, "ingest-rest /v1/votes"),
        ("/v1/votes:batch", {"x-canary": "always"}, "bridge /v1/votes:batch"),
        ("/v1/votes:batch", {"x-canary": "never"}, "ingest-rest /v1/votes:batch"),
        ("/rest/v1/votes", {}, "ingest-rest /v1/votes"),
        ("/rest", {"x-canary": "always"}, "ingest-rest /"),
        ("/rust/send_data", {}, "ingest-rest /send_data"),
        ("/wasm/", {}, "ingest-rest /"),
        ("/grpc/insert", {}, "bridge /insert"),
        ("/grpc", {}, "bridge /"),
    ]:
        assert ingress.post(path, host | headers) == (200, expected), path


@pytest.mark.parametrize("host", [{}, HTTP_HOST, GRPC_HOST])
@pytest.mark.parametrize(
    "path", ["/", "/insert", "/v2/votes", "/restful", "/grpcurl", "/votes.v1.BridgeService/Forward", "/a/b?c=d"]
)
def test_unknown_paths_reach_rest_with_the_path_unknown(ingress: Ingress, host: dict[str, str], path: str) -> None:
    status, body = ingress.post(path, host)
    assert (status, body.partition("?")[0]) == (200, "ingest-rest /unknown")


@pytest.mark.parametrize("host", ["", "votes.dualpath.example", "grpc.dualpath.example"])
@pytest.mark.parametrize("method", ["votes.v2.VoteService/CastVote", "votes.v1.BridgeService/Forward"])
def test_grpc_clients_get_the_status_of_the_service_for_an_unknown_method(
    ingress: Ingress, host: str, method: str
) -> None:
    with ingress.channel(host) as channel:
        call = channel.unary_unary(f"/{method}")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=10)
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "/unknown")


@pytest.mark.parametrize("host", ["", "grpc.dualpath.example"])
def test_native_grpc_reaches_its_service(ingress: Ingress, host: str) -> None:
    with ingress.channel(host) as channel:
        assert channel.unary_unary("/votes.v1.VoteService/CastVote")(b"", timeout=10) == b"ingest-grpc"


def test_large_heads_reach_the_service_so_that_it_can_refuse_them(ingress: Ingress) -> None:
    # Beyond its own limit, Traefik closes HTTP/2 connections without an answer.
    assert ingress.post("/rest/v1/votes", {"x-large": "x" * 60 * KIB}) == (200, "ingest-rest /v1/votes")


def test_only_failed_requests_are_logged_with_service_address_attempts_and_time(tmp_path: Path) -> None:
    log = tmp_path / "traefik.log"
    with running(rendered("lab"), log) as ingress:
        assert ingress.post("/rest/v1/votes")[0] == 200
        assert ingress.post("/rest/v1/votes", {ABORT_HEADER: "yes"})[0] == 502
        time.sleep(1)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    (failed,) = (line for line in lines if "DownstreamStatus" in line)
    assert (failed["DownstreamStatus"], failed["RequestPath"], failed["RetryAttempts"]) == (502, "/rest/v1/votes", 0)
    assert failed["ServiceAddr"].startswith("127.0.0.1:")
    assert failed["Duration"] > 0
    assert failed["StartUTC"]


def test_startup_probe_succeeds_only_with_the_routes(tmp_path: Path) -> None:
    with Ingress(rendered("lab"), tmp_path / "traefik.log", {}) as ingress:
        ingress.wait_until_listening()
        assert not ingress.is_started(), ingress.post("/rest/v1/votes")
        ingress.open()
        assert ingress.is_started()
        assert ingress.post("/rest/v1/votes") == (200, "ingest-rest /v1/votes")


def test_vote_on_a_connection_that_was_idle_does_not_meet_its_read_timeout(tmp_path: Path) -> None:
    arguments = traefik_arguments(rendered("lab"))
    options = {
        INGRESS_NGINX + option: str(int(arguments.get(INGRESS_NGINX + option, 60)) // ACCELERATION)
        for option in ("proxyreadtimeout", "upstreamkeepalivetimeout")
    }
    timeout_s = int(options[INGRESS_NGINX + "proxyreadtimeout"])
    with running(rendered("lab"), tmp_path / "traefik.log", options) as ingress:
        # Opens connections that are then idle for most of the read timeout.
        ingress.post_at_once(4, "/rest/v1/votes", {DELAY_HEADER: "0.3"})
        time.sleep(timeout_s - 1)
        answers = ingress.post_at_once(4, "/rest/v1/votes", {DELAY_HEADER: "1.5"})
    assert answers == [(200, "ingest-rest /v1/votes")] * 4


def test_idle_connections_are_closed_long_before_any_timeout_of_either_side(overlay: Overlay) -> None:
    arguments, routes = traefik_arguments(overlay), config(overlay, "routes")
    deadline_s = 5
    idle_s = int(arguments[INGRESS_NGINX + "upstreamkeepalivetimeout"])
    assert idle_s + 2 * deadline_s < int(arguments[INGRESS_NGINX + "proxyreadtimeout"])
    idle = [idle_s]
    if overlay.of("HTTPRoute"):
        # Traefik's default is 90 s.
        idle.append(int(re.fullmatch(r"(\d+)s", arguments["--serverstransport.forwardingtimeouts.idleconntimeout"])[1]))
    assert all(2 * seconds * 1000 < int(routes["HEAD_TIMEOUT_MS"]) for seconds in idle)
    for found in overlay.of("Ingress"):
        own = found["metadata"].get("annotations", {}).get("nginx.ingress.kubernetes.io/proxy-read-timeout")
        assert own is None or int(own) > idle_s + 2 * deadline_s, found["metadata"]["name"]
