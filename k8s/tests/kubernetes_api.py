"""An API server with a fixed set of objects. It lets a test run a real controller without a cluster."""

import json
import threading
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# The kinds that Traefik's providers list.
KINDS = (
    "BackendTLSPolicy", "ConfigMap", "EndpointSlice", "GRPCRoute", "Gateway", "GatewayClass", "HTTPRoute", "Ingress",
    "IngressClass", "ListenerSet", "Namespace", "Node", "ReferenceGrant", "Secret", "Service", "TLSRoute",
)  # fmt: skip


class KubernetesApi:
    """Answers each list request with the objects of that kind. Keeps each watch open, without events."""

    def __init__(self, objects: Iterable[dict]) -> None:
        """Starts the server on a free port of 127.0.0.1. It answers nothing until `open` is called."""
        lists: dict[str, dict] = {
            _plural(kind): {"kind": f"{kind}List", "metadata": {"resourceVersion": "1"}, "items": []} for kind in KINDS
        }
        for found in objects:
            identity = {"uid": f"{found['kind']}-{found['metadata']['name']}", "resourceVersion": "1", "generation": 1}
            items = lists[_plural(found["kind"])]["items"]
            items.append({**found, "metadata": {**identity, **found["metadata"]}})
        self._opened, self._stopped = threading.Event(), threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(lists, self._opened, self._stopped))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The address for a controller."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def open(self) -> None:
        """Answers the pending and all later requests."""
        self._opened.set()

    def stop(self) -> None:
        """Ends all watches and stops the server."""
        self._opened.set()
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """A stopping controller closes its watches."""


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith(("s", "y")) and not name.endswith("ay"):
        return f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}es"
    return f"{name}s"


def _handler(lists: dict[str, dict], opened: threading.Event, stopped: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            opened.wait()
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            parts = url.path.strip("/").split("/")
            version = parts[1] if parts[0] == "api" else f"{parts[1]}/{parts[2]}"
            if "sendInitialEvents" in query:
                # After this answer, the client lists the objects before it watches them.
                status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid"}
                self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, status)
            elif "watch" in query:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                stopped.wait()
            else:
                self._answer(HTTPStatus.OK, {"apiVersion": version, **lists[parts[-1]]})

        def do_PUT(self) -> None:
            """Accepts a changed status."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(HTTPStatus.OK, json.loads(body))

        def _answer(self, status: HTTPStatus, body: dict) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    return Handler
