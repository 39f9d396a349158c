"""Traefik with the arguments and the objects of an overlay, in front of stub services, without a cluster."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import grpc

from cluster_test.tls import TIMEOUT_S, Connection

from conftest import CACHE, Overlay, pod_of, traefik_arguments
from kubernetes_api import KINDS, KubernetesApi
from tls_secrets import client_context, content, is_secured, secrets, server_context

TRAEFIK = CACHE / "traefik-3.7.15" / "traefik"
SERVICES = ("ingest-rest", "bridge")
GRPC_SERVICE = "ingest-grpc"
# The name of the Ingress in its certificate.
NAME = "ingress.dualpath.svc"
DELAY_HEADER = "x-delay-s"
# The service closes the connection without an answer.
ABORT_HEADER = "x-abort"
START_TIMEOUT_S = 20


class _Stub(ThreadingHTTPServer):
    """A service that answers `name path` after the delay in the request, and UNIMPLEMENTED to gRPC clients."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, name: str, tls: ssl.SSLContext | None) -> None:
        self.service = name
        self.received: list[str] = []
        super().__init__(("127.0.0.1", 0), _StubHandler)
        if tls:
            # Each connection does its handshake on its own thread, when it reads the first bytes.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A client closed its connection."""


class _StubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Stub

    def do_POST(self) -> None:
        self.server.received.append(self.path)
        self._read_body()
        if self.headers.get("Content-Type", "").startswith("application/grpc"):
            self._answer({"Content-Type": "application/grpc", "grpc-status": "12", "grpc-message": self.path}, b"")
            return
        time.sleep(float(self.headers.get(DELAY_HEADER, 0)))
        if ABORT_HEADER in self.headers:
            self.close_connection = True
            return
        self._answer({}, f"{self.server.service} {self.path}".encode())

    do_GET = do_POST

    def _read_body(self) -> None:
        if self.headers.get("Transfer-Encoding") != "chunked":
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + len("\r\n"))
        self.rfile.readline()

    def _answer(self, headers: dict[str, str], body: bytes) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class _GrpcStub:
    """A gRPC server with the method CastVote, which answers the name of the service."""

    def __init__(self, secret: dict | None) -> None:
        self.service = GRPC_SERVICE
        self._server = grpc.server(ThreadPoolExecutor(4))
        methods = {"CastVote": grpc.unary_unary_rpc_method_handler(lambda *_: GRPC_SERVICE.encode())}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("votes.v1.VoteService", methods),))
        address = "127.0.0.1:0"
        if secret:
            identity = (content(secret, "tls.key"), content(secret, "tls.crt"))
            self.server_port = self._server.add_secure_port(address, grpc.ssl_server_credentials([identity]))
        else:
            self.server_port = self._server.add_insecure_port(address)
        self._server.start()

    def shutdown(self) -> None:
        self._server.stop(None)

    def server_close(self) -> None:
        """`shutdown` has closed everything."""


class Ingress:
    """A running Traefik. If the overlay has components/tls, the services have certificates."""

    def __init__(
        self, overlay: Overlay, log: Path, options: dict[str, str], certificates: dict[str, dict] | None = None
    ) -> None:
        """Starts Traefik. The API server answers nothing until `open` is called.

        Args:
            overlay: the overlay with Traefik's deployment and the objects.
            log: the file for Traefik's log.
            options: replaces values of Traefik's arguments.
            certificates: Secrets of services by name, instead of the right ones; {} for no TLS.
        """
        self._tls = client_context() if is_secured(overlay) else None
        if certificates is None:
            certificates = {name: secrets()[f"{name}-tls"] for name in (*SERVICES, GRPC_SERVICE) if self._tls}
        self._stubs = [
            _Stub(name, server_context(certificates[name]) if certificates else None) for name in SERVICES
        ] + [_GrpcStub(certificates.get(GRPC_SERVICE))]
        self.port, self._admin = _free_ports(2)
        self._api = KubernetesApi(_objects(overlay, self._stubs, self.port))
        (container,) = pod_of(overlay.named("Deployment", "ingress"))["containers"]
        self._probe: str = container["startupProbe"]["httpGet"]["path"]
        arguments = traefik_arguments(overlay) | options
        arguments["--entrypoints.web.address"] = f"127.0.0.1:{self.port}"
        arguments["--entrypoints.traefik.address"] = f"127.0.0.1:{self._admin}"
        if "--entrypoints.unused.address" in arguments:
            arguments["--entrypoints.unused.address"] = "127.0.0.1:0"
        self._providers = {name.rpartition(".")[2] for name in arguments if re.fullmatch(r"--providers\.\w+", name)}
        for provider in self._providers:
            arguments |= {f"--providers.{provider}.endpoint": self._api.url, f"--providers.{provider}.token": "x"}
        command = [str(TRAEFIK), *(f"{name}={value}" for name, value in arguments.items())]
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops Traefik and the stubs."""
        self._process.kill()
        self._process.wait()
        self._api.stop()
        for stub in self._stubs:
            stub.shutdown()
            stub.server_close()

    def open(self) -> None:
        """Lets Traefik load the objects, and waits until it serves those of each provider."""
        self._api.open()
        _wait_until(lambda: self._providers <= self._providers_with_routers())

    def wait_until_listening(self) -> None:
        """Waits until Traefik accepts connections."""
        _wait_until(lambda: _accepts(self.port))

    def is_started(self) -> bool:
        """Tells whether the startup probe of the deployment succeeds."""
        with suppress(OSError), self._admin_page(self._probe):
            return True
        return False

    def _providers_with_routers(self) -> set[str]:
        """Returns the providers whose objects Traefik serves. Each provider loads its objects separately."""
        with suppress(OSError), self._admin_page("/api/http/routers?per_page=1000") as answer:
            return {router["name"].rpartition("@")[2] for router in json.load(answer)}
        return set()

    def _admin_page(self, path: str) -> http.client.HTTPResponse:
        return urllib.request.urlopen(f"http://127.0.0.1:{self._admin}{path}", timeout=2)

    @property
    def received(self) -> list[str]:
        """The paths of all requests that have reached a service for HTTP."""
        return [path for stub in self._stubs if isinstance(stub, _Stub) for path in stub.received]

    def post(
        self, path: str, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> tuple[int, str]:
        """Posts an empty object on a new connection; returns status and body."""
        trust = tls or self._tls
        connection = (
            Connection("127.0.0.1", self.port, NAME, trust)
            if trust
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        )
        try:
            connection.request("POST", path, b"{}", headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def channel(self, host: str = "") -> grpc.Channel:
        """Connects a gRPC client, for this host name or for the address."""
        address = f"127.0.0.1:{self.port}"
        options = [("grpc.default_authority", host)] if host else []
        if not self._tls:
            return grpc.insecure_channel(address, options=options)
        trust = grpc.ssl_channel_credentials(content(secrets()["ingress-tls"], "ca.crt"))
        return grpc.secure_channel(address, trust, [("grpc.ssl_target_name_override", host or NAME), *options])

    def post_at_once(self, count: int, path: str, headers: dict[str, str]) -> list[tuple[int, str]]:
        """Posts `count` times at the same time."""
        answers: list[tuple[int, str]] = []
        threads = [
            threading.Thread(target=lambda: answers.append(self.post(path, headers)), daemon=True) for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


@contextmanager
def running(
    overlay: Overlay,
    log: Path,
    options: dict[str, str] | None = None,
    certificates: dict[str, dict] | None = None,
) -> Iterator[Ingress]:
    """Starts an Ingress that has loaded its objects; stops it at the end."""
    with Ingress(overlay, log, options or {}, certificates) as ingress:
        ingress.open()
        yield ingress


def _objects(overlay: Overlay, stubs: list[_Stub | _GrpcStub], port: int) -> Iterator[dict]:
    """Yields the objects of an overlay as an API server returns them, with the stubs as endpoints of the Services."""
    if is_secured(overlay):
        yield from (secrets()[name] for name in ("ingress-tls", "ingress-client-tls"))
    by_name = {stub.service: stub.server_port for stub in stubs}
    for found in overlay.of(*KINDS):
        if found["kind"] == "Service":
            ports = [{"protocol": "TCP", **own} for own in found["spec"]["ports"]]
            target = by_name.get(found["spec"]["selector"]["app.kubernetes.io/name"])
            yield {**found, "spec": {**found["spec"], "ports": ports}}
            yield _endpoints(found["metadata"], ports, target)
        elif found["kind"] == "Gateway":
            listeners = [{**listener, "port": port} for listener in found["spec"]["listeners"]]
            yield {**found, "spec": {**found["spec"], "listeners": listeners}}
        else:
            yield found


def _endpoints(service: dict, ports: list[dict], target: int | None) -> dict:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service["name"],
            "namespace": service["namespace"],
            "labels": {"kubernetes.io/service-name": service["name"]},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}] if target else [],
        "ports": [{"name": port["name"], "port": target or 1, "protocol": "TCP"} for port in ports],
    }


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_ports(count: int) -> list[int]:
    """Returns distinct free ports: all stay bound until each has a number."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, f"waited {START_TIMEOUT_S} s"
        time.sleep(0.1)
